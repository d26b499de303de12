"""The arms of an ensemble: models, each with its settings, among which every brief is given to one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from outpace.agent.models.base import FREE, Sampling
from outpace.agent.proposal import EditMode
from outpace.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A model with its settings; ``share`` is its part of the briefs, relative to those of the other arms.

    ``edit_mode`` None leaves the form of the answer to the brief.
    """

    model: str
    share: float = 1.0
    sampling: Sampling = FREE
    edit_mode: EditMode | None = None

    @property
    def name(self) -> str:
        """What briefs, reports and the bandit call it: the model, then the settings that were chosen."""
        sampling = self.sampling
        settings = {"temperature": sampling.temperature, "effort": sampling.effort, "edit": self.edit_mode}
        return " ".join([self.model, *(f"{name}={value}" for name, value in settings.items() if value is not None)])


def share_of(given: str) -> tuple[str, float]:
    """Return the model and the share of what a user wrote: ``openai:small=0.8``, or ``openai:small`` (share 1).

    Raises ``UsageError`` for a share that is no number above 0. A name that ends in ``=`` and something else than a
    number stays as it is: some endpoints have such names.
    """
    model, equals, text = given.rpartition("=")
    try:
        share = float(text) if equals else 1.0
    except ValueError:
        return given, 1.0
    if not equals:
        return given, 1.0
    if not 0 < share < float("inf"):
        raise UsageError(f"--model '{given}': the share must be a number above 0, got {text}.")
    return model, share


def arms_of(
    models: Sequence[str],
    *,
    sampling: Sampling = FREE,
    temperatures: Sequence[float] = (),
    efforts: Sequence[str] = (),
    edit_modes: Sequence[EditMode] = (),
) -> list[Arm]:
    """Return one arm for each model and each combination of settings; each model's share is spread over its arms.

    Raises ``UsageError`` where a model or one of its settings is named twice.
    """
    named = [share_of(given) for given in models]
    if twice := {model for model, _ in named if sum(model == other for other, _ in named) > 1}:
        raise UsageError(f"--model {min(twice)} is named twice: name each model once, with its share (NAME=0.8).")
    for option, given in (("--temperature", temperatures), ("--effort", efforts), ("--edit", edit_modes)):
        if len(set(given)) < len(given):
            raise UsageError(f"{option} is given the same value twice: {', '.join(map(str, given))}. Name each once.")
    warmths: Sequence[float | None] = temperatures or [sampling.temperature]
    pains: Sequence[str | None] = efforts or [sampling.effort]
    forms: Sequence[EditMode | None] = edit_modes or [None]
    settings = list(product(warmths, pains, forms))
    return [
        Arm(
            model=model,
            share=share / len(settings),
            sampling=replace(sampling, temperature=temperature, effort=effort),
            edit_mode=edit_mode,
        )
        for model, share in named
        for temperature, effort, edit_mode in settings
    ]
