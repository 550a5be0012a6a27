"""The words that tell metrics from other numbers in a line of output."""

from __future__ import annotations

from typing import FrozenSet


def _words(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


KNOWN = _words(
    """
    loss losses acc accuracy err error f1 auc auroc auprc precision recall mse rmse mae mape r2 ppl
    perplexity lr reward rewards score iou miou dice bleu rouge psnr ssim kl elbo nll map top1 top5
    return entropy grad_norm logloss cer wer fid bpc bpb objective fitness cost
    """
)
"""Words that name a metric: they need no sign before their number, and may stand at the end of a sentence."""

STOP = _words(
    """
    seed seeds port pid id ids version versions python cuda cudnn torch numpy tensorflow jax driver
    device devices gpu gpus cpu cpus rank world size sizes shape shapes dim dims ndim dimension
    dimensions sample samples example examples class classes param params parameter parameters
    worker workers thread threads core cores year month day date line lines page row rows column
    columns col cols index idx length len num number count counts exit code status errno chapter
    section figure table item items file files rangeindex uid gid level priority build layer layers
    hidden head heads eta bytes token tokens vocab vocabulary width height channels channel features
    estimators n_jobs jobs nnz dtype elements entries maximum maxlen max_len retries attempt
    """
)
"""Words that name something else: settings, sizes, counts; not beside a known word (``class_loss``)."""

HARD_STOP = _words("code id line pid port version")
"""Words that never stand in a metric's name, whatever else does (``error code``)."""

FUNCTION = _words("at after in for on with and vs from over per by during while when was is")
"""Words that may follow a number without making it part of a phrase (``0.3 at epoch 5``, not ``3 files``)."""

SPLITS = _words("train training val valid validation test testing eval evaluation dev holdout")
"""Words that say which data a line's numbers are about."""
