"""The command line: flowerdiff lab | doctor | train | sample | evaluate | study | weights."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from flowerdiff import options

GOES_ON = ("train", "evaluate", "study")  # begun again after a stop, from where they were
STUDY = Path(__file__).resolve().parents[1] / "configs" / "study.toml"


def lab(args: argparse.Namespace) -> int:
    """Open JupyterLab on the first lesson."""
    lesson = Path(__file__).parents[1] / "notebooks" / "00_first_flower.ipynb"
    if not lesson.exists():
        lesson = Path("notebooks/00_first_flower.ipynb")
    if not lesson.exists():
        raise ValueError("no notebooks/ here: run this in the course's folder")
    command = [sys.executable, "-m", "jupyterlab", str(lesson), *args.jupyter]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # containers have no other user, and JupyterLab would refuse
    jupyter = subprocess.Popen(command)
    while True:
        try:
            return jupyter.wait()
        except KeyboardInterrupt:
            continue  # JupyterLab heard Ctrl+C as well, and asks before it stops


def doctor(args: argparse.Namespace) -> int:
    """Say what works on this machine, and how to mend what does not."""
    from flowerdiff.doctor import main

    if not (args.read or args.for_class):
        return main([])
    from flowerdiff import classroom

    if args.read:
        print(classroom.table(classroom.read(classroom.text_of(args.read))))
        return 0
    return classroom.main()


def train(args: argparse.Namespace) -> int:
    """Train a model as a TOML file says; run again to go on after a stop."""
    from flowerdiff.run import train_run

    here = {name: getattr(args, name) for name in ("source", "out") if getattr(args, name)}
    print(f"the model is in {train_run(args.config, **here)}")
    return 0


def sample(args: argparse.Namespace) -> int:
    """Draw flowers: PNGs, a grid, and a JSON that says how to draw them again."""
    import torch

    from flowerdiff.checkpoint import load_model, load_pretrained
    from flowerdiff.draw import draw
    from flowerdiff.pixels import grid, save_png, to_uint8
    from flowerdiff.processes import processes

    model = load_model(args.model) if args.model else load_pretrained()
    model.net.to(processes().device)  # a GPU, if there is one
    anything = args.label.casefold() == "any"
    if not anything and not model.knows_classes:
        raise ValueError("this model was told no classes in training: leave --label out")
    label = model.null_label if anything else model.label(args.label)
    seeds = list(range(args.seed, args.seed + args.n))
    labels = torch.full((args.n,), label)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)  # first: drawing takes long
    images = to_uint8(draw(model, seeds, labels, args.w, args.sampler, args.steps))

    for seed, image in zip(seeds, images, strict=True):
        save_png(out / f"{seed:05d}.png", image)
    save_png(out / "grid.png", grid(images))
    again = {key: value for key, value in vars(args).items() if key not in ("run", "out")}
    again |= {"label_number": label, "seeds": seeds, "clip_x0": 1.0, "card": model.card}
    (out / "samples.json").write_text(json.dumps(again, indent=2) + "\n", encoding="utf-8")
    print(f"{args.n} images and grid.png are in {out}")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Measure a model against real flowers: KID, FID, recognition, diversity, copies."""
    from flowerdiff.evaluate import Evaluation, evaluate

    names = ("model", "source", "n", "w", "sampler", "steps", "features", "quality")
    asked = Evaluation(**{key: getattr(args, key) for key in names})
    print(evaluate(asked, Path(args.out)).read_text(encoding="utf-8"))
    return 0


def study(args: argparse.Namespace) -> int:
    """Run the paper's study; again to go on after a stop."""
    from flowerdiff.processes import processes
    from flowerdiff.study import (
        cost_table,
        estimate,
        read_study,
        report,
        spread,
        work,
        worker_command,
    )  # fmt: skip

    out = Path(args.out)
    chosen = read_study(args.config, args.scale, out, args.source).only(args.rows)
    if args.dry_run:
        if processes().num_processes > 1:
            raise ValueError("--dry-run is for one process: leave the launcher out")
        print(cost_table(estimate(chosen)))
        return 0
    if args.workers:
        if wrong := [option for option in args.options if "=" not in option]:
            raise ValueError(f"--options {wrong[0]}: write NAME=VALUE")
        settings = dict(option.split("=", 1) for option in args.options)
        jobs = spread(worker_command(args), out, args.workers, args.launcher, settings)
        print(f"{len(jobs)} workers; what they say is in {out / 'jobs'}", flush=True)
        if args.launcher == "local":
            for job in jobs:
                job.result()
        else:
            print(f"jobs {', '.join(job.job_id for job in jobs)}; add --report FOLDER to look")
            return 0
    elif not args.report and not work(chosen, out):
        print("the rest is being worked on by others", file=sys.stderr)
    if args.no_report or not processes().is_main_process:
        return 0
    print(f"the tables are in {report(chosen, out, Path(args.report or out / 'report'))}")
    return 0


def weights(args: argparse.Namespace) -> int:
    """List the files of weights; with a model's name, print its card; with get, download others."""
    from flowerdiff.checkpoint import PRETRAINED, WEIGHTS, load_pretrained
    from flowerdiff.metrics import weights
    from flowerdiff.metrics.download import get

    if args.name[:1] == ["get"]:
        for file in weights.named(args.name[1:]):
            print(f"{file.file}  {file.size}, {file.licence}")
            print(f"is in {get(file, args.mirror).parent}")
        return 0
    for name in args.name or PRETRAINED:
        if name in weights.FILES:
            raise ValueError(f"to download it: flowerdiff weights get {name}")
        model = load_pretrained(name)
        megabytes = (WEIGHTS / f"{name}.safetensors").stat().st_size / 1e6
        print(f"{name}  {megabytes:.1f} MB, hash right  {model}")
        if args.name:
            print(json.dumps(model.card, indent=2))
    for name, file in weights.FILES.items() if not args.name else ():
        here = "here" if file.path.is_file() else f"flowerdiff weights get {name}"
        print(f"{name}  {file.size}, {file.use}: {here}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flowerdiff", description="Diffusion models, on flowers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(run) -> argparse.ArgumentParser:
        sub = commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        sub.set_defaults(run=run)
        return sub

    command(lab).add_argument("jupyter", nargs="*", help="passed on to JupyterLab, after --")
    sub = command(doctor)
    sub.add_argument(
        "--class", dest="for_class", action="store_true", help="a line to send to the instructor"
    )
    sub.add_argument("--read", metavar="FILE", help="such lines: who needs help, and why")
    sub = command(train)
    sub.add_argument("--config", required=True, help="a TOML file; see flowerdiff.run")
    sub.add_argument(
        "--source", help="the flowers, if not where the file says: hub, garden, a path"
    )
    sub.add_argument("--out", help="the run's folder, if not the one that the file names")
    sub = command(sample)
    sub.add_argument("--label", default="any", help="a class name or number, or 'any'")
    sub.add_argument("--w", type=options.weight, default=1.0, help="guidance weight; 0 is none (1)")
    sub.add_argument("--sampler", default="ddim", choices=["ddim", "dpm_solver_pp", "ddpm"])
    sub.add_argument("--steps", type=options.steps, default=25, help="sampling steps, or all (25)")
    sub.add_argument("--seed", type=options.seed, default=0, help="of the first; then one up (0)")
    sub.add_argument("--n", type=options.count, default=16, help="number of images (16)")
    sub.add_argument("--out", default="samples", help="folder to write to (samples)")
    sub.add_argument("--model", help="a model file; without it, the bundled flowers64")
    sub = command(evaluate)
    sub.add_argument("--model", default="flowers64", help="a model file or a bundled model's name")
    sub.add_argument("--source", required=True, help="real flowers of the same classes: a path")
    sub.add_argument("--n", type=int, default=2040, help="number of samples (2040)")
    sub.add_argument(
        "--w", type=options.weight, default=1.0, help="guidance weight; -1: no class (1)"
    )
    sub.add_argument("--sampler", default="ddim", choices=["ddim", "dpm_solver_pp", "ddpm"])
    sub.add_argument("--steps", type=options.steps, default=25, help="sampling steps, or all (25)")
    features = ["efficientnet-lite0", "inception"]
    sub.add_argument(
        "--features", default=features[0], choices=features, help="inception: as published"
    )
    sub.add_argument(
        "--quality", nargs="+", default=[], choices=["niqe", "brisque", "cnn-iqa", "is"],
        help="more scores; the first three need the extra quality, for non-commercial use only",
    )  # fmt: skip
    sub.add_argument("--out", required=True, help="folder to write to, outside the project")
    sub = command(study)
    sub.add_argument("--scale", required=True, help="paper or laptop; see the config")
    sub.add_argument("--out", required=True, help="folder of the runs")
    sub.add_argument("--source", help="the flowers, if not where the config says")
    sub.add_argument("--config", default=STUDY, type=Path, help="a TOML file (configs/study.toml)")
    sub.add_argument("--rows", nargs="+", default=[], help="only these rows of the config")
    sub.add_argument("--dry-run", action="store_true", help="what it would take on this machine")
    sub.add_argument("--report", metavar="FOLDER", help="only write what is done, in tables, to it")
    sub.add_argument("--no-report", action="store_true", help="write no tables and figures")
    sub.add_argument("--workers", type=options.count, help="so many at once, started by submitit")
    sub.add_argument("--launcher", default="local", help="submitit's cluster: local, slurm (local)")
    sub.add_argument(
        "--options", nargs="+", default=[], metavar="NAME=VALUE",
        help="more of submitit's, such as slurm_partition=gpu gpus_per_node=1",
    )  # fmt: skip
    sub = command(weights)
    sub.add_argument("name", nargs="*", help="a model; or get, then inception, niqe, ... or all")
    sub.add_argument("--mirror", help="address of a folder that has the files, for get")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a command; an expected error is one line on stderr and exit code 1."""
    args = _parser().parse_args(argv)
    if hasattr(sys.stdout, "reconfigure"):  # not in a notebook; a Windows pipe has no arrows
        sys.stdout.reconfigure(errors="replace")
    try:
        return args.run(args)
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        print(f"flowerdiff {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = ": run the same command to go on" if args.command in GOES_ON else ""
        print(f"\nstopped{again}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
