"""Runs EZKL on one model, in the folder it is started in, and prints what each step took as JSON.

    peer.py --onnx FILE --input FILE --calibration FILE [--test FILE] [--reference FILE] [--base N] [--scale N]

Private input, fixed parameters, public output; `calibrate_settings` with the target "resources". `--base` and `--scale` are
what an expert would try: another decomposition base, all scales the same. `--reference` is the model whose floats count,
where that is not the one that EZKL proves. Every step is a process of its own; its CPU seconds (user and system) are those of
the call, without the import of Python's modules. The error is the largest of a real output on the first rows of the test file,
or of the input, against ONNX Runtime.
"""

import argparse
import asyncio
import inspect
import json
import os
import resource
import subprocess
import sys

import ezkl

# Rows of the test file that witnesses are made for.
TEST_ROWS = 50


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--onnx")
    parser.add_argument("--input")
    parser.add_argument("--calibration")
    parser.add_argument("--test")
    parser.add_argument("--reference")
    parser.add_argument("--base", type=int)
    parser.add_argument("--scale", type=int)
    parser.add_argument("--step", nargs=2, metavar=("CALL", "ARGUMENTS"))
    return parser.parse_args()


def call(name, keywords):
    """EZKL's function of this name; some of them want an event loop."""

    async def awaited():
        result = getattr(ezkl, name)(**keywords)
        return await result if inspect.isawaitable(result) else result

    return asyncio.run(awaited())


def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def step(name, **keywords):
    """Calls one of EZKL's functions in a process of its own and measures it."""
    command = [sys.executable, __file__, "--step", name, json.dumps(keywords)]
    # EZKL logs on both streams.
    finished = subprocess.run(command, capture_output=True, text=True)
    last = finished.stdout.strip().splitlines()[-1:]
    if finished.returncode != 0 or not last:
        said = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        sys.exit(f"ezkl {name}: {said}")
    return json.loads(last[0])


def run_args(args):
    settings = ezkl.PyRunArgs()
    settings.input_visibility = "private"
    settings.param_visibility = "fixed"
    settings.output_visibility = "public"
    if args.base:
        settings.decomp_base = args.base
    if args.scale:
        settings.input_scale = args.scale
        settings.param_scale = args.scale
    return settings


def rows(args):
    if not args.test:
        with open(args.input) as file:
            return [json.load(file)["input_data"]]
    with open(args.test) as file:
        return json.load(file)["inputs"][:TEST_ROWS]


def flat(values):
    return [number for value in values for number in flat(value)] if isinstance(values, list) else [values]


def largest_error(args):
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(args.reference or args.onnx)
    inputs = session.get_inputs()
    worst = 0.0
    for row in rows(args):
        numbers = flat(row)
        with open("row.json", "w") as file:
            json.dump({"input_data": [numbers]}, file)
        call("gen_witness", {"data": "row.json", "model": "model.compiled", "output": "row.witness"})
        with open("row.witness") as file:
            shown = json.load(file)["pretty_elements"]["rescaled_outputs"]
        shape = [extent if isinstance(extent, int) else 1 for extent in inputs[0].shape]
        tensor = numpy.array(numbers, dtype=numpy.float32).reshape(shape)
        for floats, numbers in zip(session.run(None, {inputs[0].name: tensor}), shown, strict=True):
            # Labels are no numbers.
            if floats.dtype.kind == "f":
                distance = numpy.abs(floats.ravel() - numpy.array(flat(numbers), dtype=float))
                worst = max(worst, float(distance.max()))
    return worst


def main():
    args = arguments()
    if args.step:
        name, keywords = args.step
        before = used()
        call(name, json.loads(keywords))
        cost = {"cpu_s": used() - before, "rss": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
        print()
        print(json.dumps(cost))
        return
    settings = run_args(args)
    call("gen_settings", {"model": args.onnx, "output": "settings.json", "py_run_args": settings})
    scales = {"scales": [args.scale]} if args.scale else {}
    files = {"data": args.calibration, "model": args.onnx, "settings": "settings.json"}
    call("calibrate_settings", {**files, "target": "resources", **scales})
    call("compile_circuit", {"model": args.onnx, "compiled_circuit": "model.compiled", "settings_path": "settings.json"})
    with open("settings.json") as file:
        k = json.load(file)["run_args"]["logrows"]
    ezkl.gen_srs("srs", k)
    setup = step("setup", model="model.compiled", vk_path="vk", pk_path="pk", srs_path="srs")
    call("gen_witness", {"data": args.input, "model": "model.compiled", "output": "witness"})
    keys = {"model": "model.compiled", "pk_path": "pk", "srs_path": "srs"}
    prove = step("prove", witness="witness", proof_path="proof", **keys)
    verify = step("verify", proof_path="proof", settings_path="settings.json", vk_path="vk", srs_path="srs")
    with open("proof") as file:
        proof = json.load(file)
    print()
    print(json.dumps({
        "k": k,
        "setup": setup,
        "prove": prove,
        "verify": verify,
        "pk_bytes": os.path.getsize("pk"),
        "proof_bytes": len(bytes.fromhex(proof["hex_proof"].removeprefix("0x"))),
        "max_error": largest_error(args),
    }))


main()
