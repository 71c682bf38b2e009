"""Train a net to predict the noise, one `Progress` at a time.

    for progress in train(net, flowers.images, flowers.labels, schedule, TrainConfig(steps=1000)):
        print(progress)

A generator, like sampling: stop it, look at `progress.ema`, draw samples, plot, and go on.

What is random about a training image is settled in `flowerdiff.stream`.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from flowerdiff import resume, store
from flowerdiff.precision import mixed_precision
from flowerdiff.processes import new_accelerator, processes
from flowerdiff.schedule import Schedule, check_prediction
from flowerdiff.stream import draw_batch, random_flip


@dataclass(frozen=True)
class TrainConfig:
    """What `train` does. Steps are the optimizer's, and images are counted over all processes."""

    steps: int = 10_000  # optimizer steps
    batch_size: int = 16  # images per optimizer step, over all processes
    accumulate: int = 1  # forward passes per optimizer step: divides the memory needed
    lr: float = 6e-4
    warmup: int = 200  # steps over which lr rises from 0
    decay: int = 0  # last steps, over which lr falls linearly to 0; `steps` is the paper's choice
    stair: int = 1  # steps between two changes of lr; those of an epoch are the paper's choice
    grad_clip: float = 1.0
    weight_decay: float = 0.0
    # One averaged copy of the weights for each. Until a run has 9 / (1 - decay) steps (9,000 for
    # 0.999) the average is shorter: see `update_ema`.
    ema_decay: tuple[float, ...] = (0.999,)
    label_dropout: float = 0.1
    prediction: str = "eps"  # what the net's output is compared with: "eps", "v" or "x0"
    min_snr_gamma: float | None = None  # weight of the loss per t, see `loss_weight`
    t_logit_normal: tuple[float, float] | None = None  # how often each t is drawn, see `draw_time`
    precision: str = "no"  # float32; or "bf16", "fp16", or "auto": bf16 where that is fast
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Progress:
    """The state of a run after one optimizer step."""

    step: int  # steps done
    steps: int  # steps to do in all
    images: int  # images seen
    loss: float  # mean squared error of this step's batch, without the weights of min-SNR
    lr: float
    seconds: float  # since the first step began, with what the caller does between steps
    images_per_second: float
    eta_seconds: float  # until the end, at this rate
    t: Tensor  # (b,) the times drawn in this step, by this process
    losses: Tensor  # (b,) and the squared error at each
    net: nn.Module
    emas: tuple[nn.Module, ...]  # averaged copies, in the order of config.ema_decay

    @property
    def ema(self) -> nn.Module:
        """The first averaged copy: the one to sample from."""
        return self.emas[0]

    def __str__(self):
        return (
            f"step {self.step}/{self.steps}  loss {self.loss:.4f}  lr {self.lr:.1e}  "
            f"{self.images_per_second:.0f} images/s  {self.eta_seconds / 60:.1f} min left"
        )


def loss_weight(schedule: Schedule, t: Tensor, prediction: str, gamma: float | None) -> Tensor:
    """Weight (B,) of each image's squared error. gamma None: 1, the paper's plain MSE.

    Else min-SNR: min(SNR, gamma) on the error in x0. Hang et al. 2023, arXiv:2303.09556. In terms
    of the error in eps that is divided by SNR, in terms of v by SNR + 1.
    """
    if gamma is None:
        return torch.ones(len(t), device=t.device)
    snr = schedule.snr(t)
    return snr.clamp(max=gamma) / {"eps": snr, "v": snr + 1, "x0": torch.ones_like(snr)}[prediction]


def lr_at(step: int, config: TrainConfig) -> float:
    """Learning rate for step 0, 1, ...: up over `warmup`, level, down to 0 over `decay`."""
    step -= step % config.stair
    up = (step + 1) / max(config.warmup, 1)
    down = (config.steps - step) / max(config.decay, 1)
    return config.lr * min(1, up, down)


@torch.no_grad()
def update_ema(ema: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """ema <- decay * ema + (1 - decay) * net, for parameters; buffers are copied.

    Early on the average is kept shorter, or it would remember the random start for long. Buffers
    (BatchNorm's statistics) are averages already; averaged again they would lag behind the weights.
    """
    decay = min(decay, (1 + step) / (10 + step))
    ours, theirs = list(ema.parameters()), list(net.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
    for ours, theirs in zip(ema.buffers(), net.buffers(), strict=True):
        ours.copy_(theirs)


def train(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    schedule: Schedule,
    config: TrainConfig,
    *,
    augment: Callable[[Tensor, np.random.Generator], Tensor] = random_flip,
    checkpoint: str | Path | None = None,
    save_every: int = 500,
) -> Iterator[Progress]:
    """Train `net` in place and yield a `Progress` after every optimizer step. A generator: before
    the first step is asked for nothing happens, and nothing is raised.

    net: as in `flowerdiff.unet`: called net(x_t, t, y), its `config` a dataclass with num_classes.
    It is trained where it lies: `net.to(processes().device)` first, to train on a GPU. Meanwhile it
    is in training mode: sample from `progress.ema`.
    images uint8 (N, 3, H, W), labels long (N,): the training set, in memory.
    augment: (one uint8 image, its random generator) -> uint8 image.
    checkpoint: a file that is written every `save_every` steps and at the end. If it exists, the
    run goes on from it, and ends with the same weights, bit for bit, as if never interrupted (on a
    CPU: a GPU adds in another order each time, and in fp16 the scale of the loss begins anew). Of a
    run that is at its end nothing is yielded, and only `net` restored.

    Under `torchrun` each process takes its share of every batch: the same loss curve, sooner, but
    for BatchNorm, which sees one share (`flowerdiff.processes`). Raises ValueError if there is not
    one label for each image, a label is none of the net's, the batch can't be shared out, the
    precision or prediction is unknown, or one of several processes has its net elsewhere than on
    its own device; CheckpointError if the checkpoint is damaged or belongs to another run.
    """
    check_prediction(config.prediction)
    device, was_training = next(net.parameters()).device, net.training
    precision = mixed_precision(config.precision, device)
    accelerator = new_accelerator(device, precision, config.accumulate)
    world, rank = accelerator.num_processes, accelerator.process_index
    if config.batch_size % (world * config.accumulate):
        raise ValueError(
            f"a batch of {config.batch_size} can't be shared by {world} processes "
            f"with {config.accumulate} forward passes each"
        )

    own = processes().device  # "cpu" may be "cpu:0" there
    if world > 1 and (device.type, device.index or 0) != (own.type, own.index or 0):
        raise ValueError(f"the net lies on {device}: net.to(processes().device) first")
    if len(labels) != len(images) or not len(images):
        raise ValueError(f"one label per image: {len(images)} images, {len(labels)} labels")
    classes, (lowest, highest) = net.config.num_classes, labels.aminmax()
    if classes and (wrong := [int(y) for y in (lowest, highest) if not 0 <= y < classes]):
        raise ValueError(f"the net knows {classes} classes, but there is a label {wrong[0]}")

    # channels_last is the layout that convolutions are fast in, on CPUs and on GPUs.
    net.to(memory_format=torch.channels_last)
    emas = tuple(copy.deepcopy(net).eval().requires_grad_(False) for _ in config.ema_decay)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=config.weight_decay, fused=True)
    note, first = resume.note(config, net, schedule, images, labels, augment), 0
    if checkpoint is not None and Path(checkpoint).exists():
        tensors, saved = store.read(checkpoint)
        resume.check_same_run(checkpoint, saved, note, asdict(TrainConfig()))
        first = resume.restore(tensors, net, emas, optimizer)
    net.__dict__.pop("_is_accelerate_prepared", None)  # of a training before, or a copy's
    wrapped, prepared = accelerator.prepare(net.train(), optimizer)

    def forward_backward(step: int, part: int) -> tuple[Tensor, Tensor]:
        """One forward and backward pass on this process's share; its times and losses (b,)."""
        # Every so many places, not so many in a row: the times of a batch are stratified by place,
        # and BatchNorm must meet all of them in each pass.
        every, end = world * config.accumulate, (step + 1) * config.batch_size
        places = range(step * config.batch_size + part * world + rank, end, every)
        x0, y, t, eps = (
            a.to(device)
            for a in draw_batch(
                images, labels, schedule.T, classes, config, places, augment,
            )
        )  # fmt: skip
        x_t = schedule.add_noise(x0, t, eps)
        target = {"eps": eps, "x0": x0, "v": schedule.v_from(x0, t, eps)}[config.prediction]
        error = (wrapped(x_t, t, y).float() - target).square().flatten(1).mean(1)  # (b,)
        weight = loss_weight(schedule, t, config.prediction, config.min_snr_gamma)
        accelerator.backward((weight.to(error) * error).mean())
        return t, error.detach()

    begun = time.perf_counter()
    try:
        for step in range(first, config.steps):
            # accelerate keeps this for all trainings of a process: another may have begun since.
            accelerator.gradient_accumulation_steps = config.accumulate
            for group in optimizer.param_groups:
                group["lr"] = lr_at(step, config)
            seen = []
            for part in range(config.accumulate):
                with accelerator.accumulate(wrapped):
                    seen.append(forward_backward(step, part))
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(net.parameters(), config.grad_clip)
                    prepared.step()
                    prepared.zero_grad()
            for ema, decay in zip(emas, config.ema_decay, strict=True):
                update_ema(ema, net, decay, step)

            done = step + 1
            t, losses = (torch.cat(parts) for parts in zip(*seen, strict=True))
            seconds = time.perf_counter() - begun
            yield Progress(
                step=done,
                steps=config.steps,
                images=done * config.batch_size,
                loss=accelerator.reduce(losses.mean(), "mean").item(),
                lr=lr_at(step, config),
                seconds=seconds,
                images_per_second=(done - first) * config.batch_size / seconds,
                eta_seconds=(config.steps - done) * seconds / (done - first),
                t=t,
                losses=losses,
                net=net,
                emas=emas,
            )
            # After the yield: if killed in between, the step is done again, and never skipped.
            if checkpoint is not None and (done % save_every == 0 or done == config.steps):
                if accelerator.is_main_process:
                    store.write(checkpoint, resume.state(done, net, emas, optimizer), note)
                accelerator.wait_for_everyone()
    finally:
        # accelerate has wrapped net.forward: hand the net back as it came.
        accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
        net.train(was_training)
