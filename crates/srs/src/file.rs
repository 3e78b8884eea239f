//! Positioned reads from a file whose length is known. A length that comes from the file's content is
//! compared with the file's real size before anything is allocated for it.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use blake2::{Blake2b512, Digest};
use halo2_proofs::halo2curves::bn256::{G1Affine, G2Affine};

use crate::{
    error::{FileOperation, FilePart, SrsError},
    point::{Encoding, decode_g1_list, decode_g2},
    provenance::Blake2bDigest,
};

/// Points read and decoded at a time: bounds the bytes held beside the decoded points to 2 MiB.
const POINTS_PER_BLOCK: u64 = 1 << 15;

/// Bytes hashed at a time.
const HASH_BLOCK: u64 = 1 << 20;

/// An open regular file.
pub(crate) struct InputFile {
    file: File,
    length: u64,
    path: PathBuf,
}

impl InputFile {
    pub(crate) fn open(path: &Path) -> Result<Self, SrsError> {
        let io_error = |source| SrsError::Io {
            path: path.to_owned(),
            operation: FileOperation::Open,
            source,
        };
        // Asked before opening: opening a named pipe would wait for its writer.
        let metadata = fs::metadata(path).map_err(io_error)?;
        if !metadata.is_file() {
            return Err(SrsError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(io_error)?;
        let length = file.metadata().map_err(io_error)?.len();
        Ok(Self {
            file,
            length,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The last component of the path.
    pub(crate) fn name(&self) -> String {
        self.path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Bytes in the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// An error unless the file is exactly `expected` bytes long.
    pub(crate) fn require_length(&self, expected: u64) -> Result<(), SrsError> {
        if self.length == expected {
            Ok(())
        } else {
            Err(self.wrong_size(FilePart::Whole, expected, self.length))
        }
    }

    /// `length` bytes at `offset`.
    pub(crate) fn read(&mut self, offset: u64, length: u64, part: FilePart) -> Result<Vec<u8>, SrsError> {
        let available = self.length.saturating_sub(offset);
        if length > available {
            return Err(self.wrong_size(part, length, available));
        }
        let size = usize::try_from(length).map_err(|_| self.wrong_size(part, length, available))?;
        self.file
            .seek(SeekFrom::Start(offset))
            .map_err(|source| self.read_error(source))?;
        let mut bytes = vec![0; size];
        self.file
            .read_exact(&mut bytes)
            .map_err(|source| self.read_error(source))?;
        Ok(bytes)
    }

    /// `N` bytes at `offset`.
    pub(crate) fn read_array<const N: usize>(&mut self, offset: u64, part: FilePart) -> Result<[u8; N], SrsError> {
        let length = u64::try_from(N).unwrap_or(u64::MAX);
        let bytes = self.read(offset, length, part)?;
        let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        <[u8; N]>::try_from(bytes).map_err(|_| self.wrong_size(part, length, got))
    }

    /// A little-endian 32-bit number at `offset`.
    pub(crate) fn read_u32(&mut self, offset: u64, part: FilePart) -> Result<u32, SrsError> {
        self.read_array(offset, part).map(u32::from_le_bytes)
    }

    /// A little-endian 64-bit number at `offset`.
    pub(crate) fn read_u64(&mut self, offset: u64, part: FilePart) -> Result<u64, SrsError> {
        self.read_array(offset, part).map(u64::from_le_bytes)
    }

    /// `count` points of G1 from `offset`, each checked as [`crate::point`] says. The defect that is reported
    /// is the first one in the list.
    pub(crate) fn read_g1(
        &mut self,
        offset: u64,
        count: u64,
        encoding: Encoding,
        part: FilePart,
    ) -> Result<Vec<G1Affine>, SrsError> {
        let size = encoding.g1_size();
        let expected = count.saturating_mul(size);
        let available = self.length.saturating_sub(offset);
        if expected > available {
            return Err(self.wrong_size(part, expected, available));
        }
        let capacity = usize::try_from(count).map_err(|_| self.wrong_size(part, expected, available))?;
        let mut points = Vec::with_capacity(capacity);
        let mut done = 0_u64;
        while done < count {
            let block = POINTS_PER_BLOCK.min(count.saturating_sub(done));
            let start = offset.saturating_add(done.saturating_mul(size));
            let bytes = self.read(start, block.saturating_mul(size), part)?;
            let decoded = decode_g1_list(encoding, &bytes).map_err(|(index, defect)| SrsError::Point {
                path: self.path(),
                part,
                index: done.saturating_add(index),
                defect,
            })?;
            points.extend(decoded);
            done = done.saturating_add(block);
        }
        Ok(points)
    }

    /// The point of G2 at `offset`, checked as [`crate::point`] says; `index` is its place in its list.
    pub(crate) fn read_g2(&mut self, offset: u64, index: u64, encoding: Encoding) -> Result<G2Affine, SrsError> {
        let part = FilePart::PointsG2;
        let bytes = self.read(offset, encoding.g2_size(), part)?;
        decode_g2(encoding, &bytes).map_err(|defect| SrsError::Point {
            path: self.path(),
            part,
            index,
            defect,
        })
    }

    /// blake2b-512 of the whole file.
    pub(crate) fn blake2b(&mut self) -> Result<Blake2bDigest, SrsError> {
        let mut hasher = Blake2b512::new();
        let mut done = 0_u64;
        while done < self.length {
            let block = HASH_BLOCK.min(self.length.saturating_sub(done));
            hasher.update(self.read(done, block, FilePart::Whole)?);
            done = done.saturating_add(block);
        }
        Ok(Blake2bDigest(hasher.finalize().into()))
    }

    pub(crate) fn wrong_size(&self, part: FilePart, expected: u64, got: u64) -> SrsError {
        SrsError::WrongSize {
            path: self.path(),
            part,
            expected,
            got,
        }
    }

    fn read_error(&self, source: io::Error) -> SrsError {
        SrsError::Io {
            path: self.path(),
            operation: FileOperation::Read,
            source,
        }
    }
}
