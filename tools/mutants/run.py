"""Which mutants are still to be run, and what is kept of a run: also of one that is interrupted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.errors import LocalError
from mutants import record
from mutants.areas import Area
from mutants.cargo import Workshop, outcomes
from mutants.record import Record, Standing
from release.source import git


@dataclass(frozen=True)
class Task:
    """Mutants of a file that are to be run, and what is known of the others."""

    file: str
    now: Standing
    known: Standing | None
    names: tuple[str, ...]

    def standing(self, decided: Mapping[str, str]) -> Standing:
        """What is known of the file when these are decided."""
        return record.amended(self.known, self.now, decided) if self.known else record.counted(self.now, decided)


@dataclass(frozen=True)
class Run:
    """Runs mutants and keeps the record."""

    workshop: Workshop
    record: Record
    is_again: bool = False

    def area(self, area: Area, file: str, shard: tuple[int, int]) -> None:
        """Runs what is undecided of an area's files, of one of them, or of a shard; the worst file first."""
        listed = {name: mutants for name, mutants in self.workshop.listed(area).items() if file in ("", name)}
        for name in self._worst_first(of_shard(listed, shard)):
            self._run(area, self.task(area, name, listed[name]))

    def task(self, area: Area, file: str, listed: Sequence[str]) -> Task:
        """What is to be run of a file."""
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        commit = git(self.workshop.root, "rev-parse", "--short", "HEAD")
        now = record.standing(self.workshop.copy, area, file, date, commit)
        known = self.record.files.get(file)
        if self.is_again or known is None or not known.holds_for(now):
            return Task(file, now, None, tuple(listed))
        is_decided = known.tests == now.tests
        return Task(file, now, known, () if is_decided else known.missed)

    def _worst_first(self, files: Sequence[str]) -> list[str]:
        known = self.record.files
        return sorted(files, key=lambda file: -len(known[file].missed) if file in known else 0)

    def _run(self, area: Area, task: Task) -> None:
        decided = self._interrupted(task)
        left = [name for name in task.names if name not in decided]
        if left:
            self._begin(task, decided)
            self.workshop.run(area, task.file, left)
            decided |= self._outcomes(task)
        if undecided := [name for name in task.names if name not in decided]:
            raise LocalError(f"cargo-mutants says nothing of {undecided[0]}")
        self._note.unlink(missing_ok=True)
        if task.names or task.known is None:
            self.record.files[task.file] = task.standing(decided)
            self.record.write()

    def _begin(self, task: Task, decided: Mapping[str, str]) -> None:
        """Notes what is run, for one that continues after an interruption."""
        self.workshop.report.unlink(missing_ok=True)
        begun = {"task": _identity(task), "decided": decided}
        self.workshop.output.mkdir(parents=True, exist_ok=True)
        self._note.write_text(json.dumps(begun))

    def _interrupted(self, task: Task) -> dict[str, str]:
        """What a run of the same texts decided before it was interrupted."""
        begun = json.loads(self._note.read_text()) if self._note.exists() else None
        if begun is None or begun["task"] != _identity(task):
            return {}
        return begun["decided"] | self._outcomes(task)

    def _outcomes(self, task: Task) -> dict[str, str]:
        """Those of the task: cargo-mutants also deletes fields of struct literals that it was not asked for."""
        return {name: one for name, one in outcomes(self.workshop.report).items() if name in task.names}

    @property
    def _note(self) -> Path:
        return self.workshop.output / "begun.json"


def of_shard(listed: Mapping[str, Sequence[str]], shard: tuple[int, int]) -> list[str]:
    """The files of one of several shards, of which each gets about as many mutants: the largest are dealt out first."""
    number, count = shard
    largest_first = sorted(listed, key=lambda file: (-len(listed[file]), file))
    return largest_first[number - 1 :: count]


def _identity(task: Task) -> list[str]:
    return [task.file, task.now.code, task.now.tests]
