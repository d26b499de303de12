"""The words for named ways of changing programs: one template for each operator, one for each question asked first.

A strategy names an operator (``Brief.operator``) and fills its template in (``Brief.given``); the words are here, so
that a task or a user can replace them as those of any other prompt.
"""

from collections.abc import Mapping
from typing import Any

GIVEN: Mapping[str, Mapping[str, Any]] = {
    "operator_draft": {"drafts": ["a plan -> 1.5"]},
    "operator_fsr_compile": {"stage": "build", "failed": [1]},
    "operator_fsr_correct": {"stage": "check", "failed": [1]},
    "operator_fsr_fast": {"hints": [{"name": "a-feature", "text": "What to do."}]},
    "operator_e1": {"thoughts": ["an idea", ""]},
    "operator_e2": {"thoughts": ["an idea", ""]},
    "operator_m1": {"thoughts": ["an idea"]},
    "operator_m2": {"thoughts": ["an idea"]},
    "operator_m3": {"thoughts": ["an idea"]},
    "operator_s1": {"thoughts": ["an idea", ""]},
    "operator_reevo_mutation": {"long": "advice", "short": ["a hint"]},
    "reflect_reevo_long": {"long": "advice", "short": ["a hint"]},
}
"""An example of what each template is given that is given anything, by ``operator_<name>`` or ``reflect_<name>``."""
OPERATOR, REFLECT = "operator_{}.md.j2", "reflect_{}.md.j2"
MOST = 1200
"""Characters of an answer to a question; the rest of a longer one is left out in the middle."""


def example(template: str) -> Mapping[str, Any]:
    """Return what a template may be given, to try it out with."""
    return GIVEN.get(template.removesuffix(".md.j2"), {})
