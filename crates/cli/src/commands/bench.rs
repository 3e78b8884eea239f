use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};
use serde::Serialize;
use serde_json::Value;
use wait4::Wait4 as _;
use zkverdict::circuits::Objective;

use super::Status;
use crate::{
    args::Bench,
    output::size_of,
    printer::{Printer, Report, Style, pairs, real, seconds, size, table, thousands},
    settings::Settings,
};

/// What other tools read: the names stay.
#[derive(Debug, Serialize)]
struct Measured {
    model: String,
    k: u64,
    rows: u64,
    advice_columns: u64,
    fixed_columns: u64,
    equality_columns: u64,
    /// The number of public inputs.
    instances: usize,
    /// The public inputs, in hexadecimal.
    public_inputs: Vec<Value>,
    /// Every output in graph order, dequantised.
    outputs: Vec<Value>,
    setup: Cost,
    prove: Cost,
    verify: Cost,
    pk_bytes: u64,
    vk_bytes: u64,
    proof_bytes: u64,
    verify_gas: u64,
    verify_execution_gas: u64,
    deploy_gas: u64,
    code_bytes: u64,
    srs: String,
    predicted: Predicted,
}

/// What the planner expected of the layout it chose.
#[derive(Debug, Serialize)]
struct Predicted {
    prove_cpu_s: f64,
    memory_bytes: u64,
    verify_gas: u64,
    code_bytes: u64,
}

/// What one step took, as a process of its own.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Cost {
    wall_s: f64,
    /// User and system time.
    cpu_s: f64,
    peak_rss_bytes: u64,
}

pub(super) fn run(args: &Bench, settings: &Settings, printer: &Printer) -> Result<Status> {
    let folder = tempfile::tempdir().context("no temporary folder could be made")?;
    let at = |name: &str| folder.path().join(name);
    let (calibration, circuit) = (at("model.calibration.json"), at("model.circuit"));
    let (proving_key, verifying_key, proof) = (at("model.pk"), at("model.vk"), at("model.proof"));
    let busy = printer.busy("calibrating");
    let stage = Stage {
        folder: folder.path(),
        config: settings.named_file.as_deref(),
    };

    let mut step = stage.step("calibrate");
    step.arg(&args.model).arg("--data").arg(&args.input);
    step.option("--data", args.calibration.as_ref());
    step.option("--margin", args.margin.map(|margin| margin.to_string()));
    step.arg("--output").arg(&calibration);
    step.run()?;

    busy.now("compiling");
    let mut step = stage.step("compile");
    step.arg(&args.model).arg("--calibration").arg(&calibration);
    step.arg("--optimize").arg(name_of(settings.objective(args.optimize)));
    step.option("--tolerance", args.tolerance.map(|tolerance| tolerance.to_string()));
    step.arg("--output").arg(&circuit);
    let compiled = step.run()?.result;
    let plan = compiled.get("chosen").cloned().unwrap_or_default();
    let k = number(&plan, "k")?;

    let srs = match args.srs.as_ref().or(settings.srs.as_ref()) {
        Some(path) => path.clone(),
        None => {
            let path = at("development.srs");
            let mut step = stage.step("srs");
            step.arg("dev").arg("-k").arg(k.to_string()).arg("--output").arg(&path);
            step.run()?;
            path
        }
    };

    busy.now("making keys");
    let mut step = stage.step("setup");
    step.arg(&circuit).arg("--srs").arg(&srs);
    step.arg("--proving-key").arg(&proving_key);
    step.arg("--verifying-key").arg(&verifying_key);
    let setup = step.run()?;

    busy.now("proving");
    let mut step = stage.step("prove");
    step.arg(&circuit).arg("--proving-key").arg(&proving_key);
    step.arg("--input").arg(&args.input).arg("--output").arg(&proof);
    let prove = step.run()?;

    busy.now("verifying");
    let mut step = stage.step("verify");
    step.arg("--verifying-key")
        .arg(&verifying_key)
        .arg("--proof")
        .arg(&proof);
    let verify = step.run()?;

    busy.now("building the contract");
    let mut step = stage.step("contract");
    step.arg(&verifying_key).arg("--name").arg("BenchVerifier");
    step.option("--solc", args.solc.as_ref().or(settings.solc.as_ref()));
    step.arg("--output").arg(folder.path());
    let contract = step.run()?.result;

    busy.now("running the EVM");
    let mut step = stage.step("simulate");
    step.arg(at("BenchVerifier.contract")).arg("--proof").arg(&proof);
    let simulated = step.run()?.result;
    drop(busy);

    let public_inputs = list(&prove.result, "public_inputs")?;
    let deployment = contract.get("deployment").cloned().unwrap_or_default();
    let verification = simulated.get("verification").cloned().unwrap_or_default();
    printer.result(&Measured {
        model: text(&compiled, "model")?,
        k,
        rows: number(&plan, "rows")?,
        advice_columns: number(&plan, "advice_columns")?,
        fixed_columns: number(&plan, "fixed_columns")?,
        equality_columns: number(&plan, "equality_columns")?,
        instances: public_inputs.len(),
        public_inputs,
        outputs: list(&prove.result, "public")?
            .iter()
            .filter(|value| value.get("role") == Some(&Value::from("output")))
            .filter_map(|value| value.get("value").cloned())
            .collect(),
        setup: setup.cost,
        prove: prove.cost,
        verify: verify.cost,
        pk_bytes: size_of(&proving_key)?,
        vk_bytes: size_of(&verifying_key)?,
        proof_bytes: number(&prove.result, "proof_bytes")?,
        verify_gas: number(&verification, "transaction_gas")?,
        verify_execution_gas: number(&verification, "execution_gas")?,
        deploy_gas: number(&deployment, "gas")?,
        code_bytes: number(&deployment, "code_bytes")?,
        srs: text(&setup.result, "srs")?,
        predicted: Predicted {
            prove_cpu_s: plan
                .get("prove_cpu_s")
                .and_then(Value::as_f64)
                .ok_or_else(|| lacks("prove_cpu_s"))?,
            memory_bytes: number(&plan, "memory_bytes")?,
            verify_gas: number(&plan, "verify_gas")?,
            code_bytes: number(&plan, "code_bytes")?,
        },
    })?;
    Ok(Status::Done)
}

fn name_of(objective: Objective) -> &'static str {
    match objective {
        Objective::Time => "time",
        Objective::Gas => "gas",
        Objective::Memory => "memory",
    }
}

struct Stage<'a> {
    folder: &'a Path,
    config: Option<&'a Path>,
}

/// One command of this program, about to run as a process.
struct Step<'a> {
    name: &'static str,
    arguments: Vec<OsString>,
    stage: &'a Stage<'a>,
}

struct Finished {
    result: Value,
    cost: Cost,
}

impl Stage<'_> {
    fn step(&self, name: &'static str) -> Step<'_> {
        Step {
            name,
            arguments: vec![name.into()],
            stage: self,
        }
    }
}

impl Step<'_> {
    fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    fn option(&mut self, name: &str, value: Option<impl AsRef<OsStr>>) {
        if let Some(value) = value {
            self.arg(name).arg(value);
        }
    }

    /// Runs the process to its end. The parent stays small, because a child's peak counts what it was forked from.
    fn run(&self) -> Result<Finished> {
        let program = env::current_exe().context("this program's own file cannot be found")?;
        let errors = self.stage.folder.join("stderr");
        let mut command = Command::new(program);
        command.args(&self.arguments).arg("--json");
        if let Some(config) = self.stage.config {
            command.arg("--config").arg(config);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("the step {} did not start", self.name))?;
        let mut output = String::new();
        if let Some(stdout) = child.stdout.as_mut() {
            stdout.read_to_string(&mut output)?;
        }
        let used = child.wait4()?;
        let wall_s = started.elapsed().as_secs_f64();
        if !used.status.success() {
            let said = fs::read_to_string(&errors).unwrap_or_default();
            return Err(anyhow!("{}", said.trim().trim_start_matches("error: "))
                .context(format!("the step `zkverdict {}` failed", self.name)));
        }
        Ok(Finished {
            result: serde_json::from_str(&output).with_context(|| format!("the step {} printed no JSON", self.name))?,
            cost: Cost {
                wall_s,
                cpu_s: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
                peak_rss_bytes: used.rusage.maxrss,
            },
        })
    }
}

fn number(value: &Value, key: &str) -> Result<u64> {
    value.get(key).and_then(Value::as_u64).ok_or_else(|| lacks(key))
}

fn text(value: &Value, key: &str) -> Result<String> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| lacks(key))
}

fn list(value: &Value, key: &str) -> Result<Vec<Value>> {
    value
        .get(key)
        .and_then(Value::as_array)
        .cloned()
        .ok_or_else(|| lacks(key))
}

fn lacks(key: &str) -> anyhow::Error {
    anyhow!("a step's report lacks {key}: this program was replaced while it ran; run it again")
}

impl Report for Measured {
    fn render(&self, style: Style) -> String {
        let outputs: Vec<String> = self
            .outputs
            .iter()
            .map(|value| value.as_f64().map_or_else(|| value.to_string(), real))
            .collect();
        let steps: Vec<_> = [("setup", self.setup), ("prove", self.prove), ("verify", self.verify)]
            .into_iter()
            .map(|(name, cost)| {
                let cells = vec![
                    name.to_owned(),
                    seconds(cost.wall_s),
                    seconds(cost.cpu_s),
                    size(cost.peak_rss_bytes),
                ];
                (false, cells)
            })
            .collect();
        let rows = [
            ("circuit", format!("{} of 2^{} rows", thousands(self.rows), self.k)),
            (
                "columns",
                format!(
                    "{} advice, {} fixed, {} with copies",
                    self.advice_columns, self.fixed_columns, self.equality_columns
                ),
            ),
            ("outputs", outputs.join(" ")),
            ("proving key", size(self.pk_bytes)),
            ("verifying key", size(self.vk_bytes)),
            (
                "proof",
                format!("{}, {} public inputs", size(self.proof_bytes), self.instances),
            ),
            (
                "verification",
                format!(
                    "{} gas, {} of it execution",
                    thousands(self.verify_gas),
                    thousands(self.verify_execution_gas)
                ),
            ),
            (
                "contract",
                format!(
                    "{} bytes, {} gas to deploy",
                    thousands(self.code_bytes),
                    thousands(self.deploy_gas)
                ),
            ),
            ("SRS", self.srs.clone()),
        ];
        format!(
            "{}\n{}{}",
            style.bold(&self.model),
            pairs(style, 2, &rows),
            table(style, &["step", "time", "CPU", "peak memory"], &steps)
        )
    }
}
