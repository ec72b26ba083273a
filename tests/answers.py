"""What is said of an estimate that answers a claim, or a number beside the claims."""

from experiments.harness.claims import load_paper
from experiments.harness.statistics import Estimate
from experiments.harness.verdicts import judge, sentence

CLAIMS, _numbers, _ = load_paper()
NUMBERS = {number.id: number for numbers in _numbers.values() for number in numbers}


def judged(answer: Estimate) -> str:
    return judge(CLAIMS[answer.claim], answer)


def note(answer: Estimate) -> str:
    return sentence({**CLAIMS, **NUMBERS}[answer.claim], answer)
