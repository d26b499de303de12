"""The options of ``outpace run`` that say who proposes, and how."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outpace.errors import UsageError

if TYPE_CHECKING:
    from outpace.agent.proposing import Proposing

ENDPOINTS = "the endpoint's"
AS_GIVEN = (
    "base_url",
    "ensemble",
    "samples",
    "repair",
    "profile",
    "tunables",
    "in_flight",
    "messages",
    "window",
    "meta_prompting",
    "vllm_python",
)
EDITS, ENSEMBLES, PROPOSERS = (
    ("diff", "whole", "json"),
    ("shares", "bandit", "stagnation"),
    ("editor", "tuner", "outside"),
)

ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="KIND:NAME[=SHARE]",
        help="Model to ask, such as openai:NAME; several share the briefs. 'outside': whoever asks for briefs; "
        "'replay:RUN': a run again.",
        show_default="none",
    ),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="The models' endpoint.", show_default=False),
]
TemperatureOption = Annotated[
    list[float] | None,
    typer.Option(
        "--temperature", metavar="X", help="Of the models; several make arms of an ensemble.", show_default=ENDPOINTS
    ),
]
EffortOption = Annotated[
    list[str] | None,
    typer.Option(
        "--effort", metavar="WORD", help="How hard they think: low, high …; several make arms.", show_default=ENDPOINTS
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", metavar="N", min=1, help="Of an answer.", show_default=ENDPOINTS),
]
LogprobsOption = Annotated[
    bool,
    typer.Option("--logprobs", help="Ask for log-probabilities: mcts uses them as its prior."),
]
EditOption = Annotated[
    list[str] | None,
    typer.Option(
        "--edit",
        metavar="FORM",
        help=f"Form of the answers: {', '.join(EDITS)}; several make arms.",
        show_default="the strategy's",
    ),
]
EnsembleOption = Annotated[
    str,
    typer.Option(
        "--ensemble",
        metavar="NAME",
        help=f"Who gets a brief: {', '.join(ENSEMBLES)} (=K: the first model until K results bring nothing).",
    ),
]
SamplesOption = Annotated[
    int,
    typer.Option("--samples", metavar="N", min=1, help="Answers to ask for in one request."),
]
RepairOption = Annotated[
    bool,
    typer.Option("--repair/--no-repair", help="Give a program that fails back once."),
]
ProfileOption = Annotated[
    float,
    typer.Option(
        "--profile",
        metavar="SHARE",
        min=0.0,
        max=1.0,
        help="Share of the prompts with a profile of the parent, line by line.",
    ),
]
TunablesOption = Annotated[
    float,
    typer.Option(
        "--tunables",
        metavar="SHARE",
        min=0.0,
        max=1.0,
        help="Share of the briefs that tunes what programs declare tunable, without a model.",
    ),
]
InFlightOption = Annotated[
    int | None,
    typer.Option("--in-flight", metavar="N", min=1, help="Answers to wait for at a time.", show_default="16"),
]
MessagesOption = Annotated[
    int | None,
    typer.Option("--messages", metavar="N", min=1, help="Of a tuner's conversation, by the model.", show_default="40"),
]
WindowOption = Annotated[
    int | None,
    typer.Option(
        "--window", metavar="TOKENS", min=1000, help="Of a tuner's conversation, sent at a time.", show_default="32000"
    ),
]
ProposerOption = Annotated[
    str | None,
    typer.Option(
        "--proposer",
        metavar="NAME",
        help="editor: a model answers with edits; tuner: it works with tools.",
        show_default="editor",
    ),
]
OperatorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--operator", metavar="NAME", help="Rewriting operator that may be used; may be repeated.", show_default="all"
    ),
]
PromptsOption = Annotated[
    Path | None,
    typer.Option("--prompts", metavar="FOLDER", help="Prompt templates that replace ours.", show_default=False),
]
MetaOption = Annotated[bool, typer.Option("--meta-prompting", help="Let the instructions evolve too.")]
VllmPythonOption = Annotated[
    str | None,
    typer.Option(
        "--vllm-python", metavar="PATH", help="The Python that has vLLM, for vllm:MODEL.", show_default="this one"
    ),
]


def chosen(given: Mapping[str, Any]) -> "Proposing":
    """Return who proposes by the options given, by name; one temperature or effort is that of all, several make arms.

    Raises ``UsageError`` for words that are none of those to choose from.
    """
    from outpace.agent.models.base import Sampling
    from outpace.agent.proposing import OUTSIDE, Proposing

    models, temperatures, efforts, edits, operators = (
        tuple(given[name] or ()) for name in ("model", "temperature", "effort", "edit", "operator")
    )
    proposer = given["proposer"]
    _check_words("--edit", edits, EDITS)
    _check_words("--ensemble", [given["ensemble"].partition("=")[0]], ENSEMBLES)
    _check_words("--proposer", [proposer] if proposer else [], PROPOSERS)
    if OUTSIDE in models:
        if len(models) > 1:
            raise UsageError("--model outside stands alone: programs come from outside, or models are asked.")
        models, proposer = (), OUTSIDE
    sampling = Sampling(
        temperature=temperatures[0] if len(temperatures) == 1 else None,
        effort=efforts[0] if len(efforts) == 1 else None,
        max_tokens=given["max_tokens"],
        logprobs=given["logprobs"],
    )
    return Proposing(
        models=models,
        proposer=proposer,
        operators=operators,
        sampling=sampling,
        temperatures=temperatures if len(temperatures) > 1 else (),
        efforts=efforts if len(efforts) > 1 else (),
        edit_modes=edits,
        prompts=str(Path(given["prompts"]).resolve()) if given["prompts"] else None,
        **{name: given[name] for name in AS_GIVEN},
    )


def _check_words(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [one for one in given if one not in known]:
        raise UsageError(f"{option} '{unknown[0]}' is unknown. Choose from: {', '.join(known)}.")
