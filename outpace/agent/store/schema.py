"""The tables of the store (version 3). Rows are only ever added, but for the tallies, which follow from them, and the
shapes of programs, which older versions did not know.

``run`` columns hold the run's number, not its id. Programs stand apart from the rows that are scanned: a candidate is a
list of (path, key of a text), texts are compressed and kept once.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 3

metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied", String, nullable=False),
)

texts = Table(
    "texts",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

programs = Table(
    "programs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("files", Text, nullable=False),  # JSON: path -> key of a text
    Column("shape", String(16)),  # as of the candidate; NULL: kept by an older version and not proposed since
)
Index("programs_by_shape", programs.c.shape)

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("created", String, nullable=False),
    Column("task", String, nullable=False, index=True),
    Column("config", Text, nullable=False),
)

ends = Table(
    "ends",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("runs.number"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("champion", String(16)),
)

tallies = Table(
    "tallies",
    metadata,
    Column("run", ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("results", Integer, nullable=False, default=0),
    Column("evaluations", Integer, nullable=False, default=0),
    Column("wall_s", Double, nullable=False, default=0.0),
    Column("model_calls", Integer, nullable=False, default=0),
    Column("tokens", BigInteger, nullable=False, default=0),
    Column("usd", Double, nullable=False, default=0.0),
    Column("unpriced_calls", Integer, nullable=False, default=0),
    Column("statuses", Text, nullable=False, default="{}"),  # JSON: status -> results that ended so
    Column("best_rank", Double),
)

briefs = Table(
    "briefs",
    metadata,
    Column("run", ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", Text, nullable=False),  # JSON; members by candidate id
    Column("state", Text, nullable=False),  # JSON: the strategy's, right after the ask
)

completions = Table(
    "completions",
    metadata,
    Column("run", ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("text", LargeBinary, nullable=False),
    Column("data", Text, nullable=False),
)

proposals = Table(  # the program as it was proposed
    "proposals",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("brief", Integer, primary_key=True, autoincrement=False),
    Column("candidate", ForeignKey("programs.id"), nullable=False),
    Column("thought", LargeBinary),
    Column("data", Text, nullable=False),
    ForeignKeyConstraint(["run", "brief"], ["briefs.run", "briefs.number"]),
)

evaluations = Table(
    "evaluations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("runs.number"), nullable=False),
    Column("candidate", ForeignKey("programs.id"), nullable=False),
    Column("status", String, nullable=False),
    Column("score", Double),
    Column("rank", Double),
    Column("low", Double),
    Column("high", Double),
    Column("wall_s", Double, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("stages", Text, nullable=False),
    Column("machine", ForeignKey("texts.key")),
    Column("feedback", LargeBinary),
    Column("measurements", LargeBinary),
)

results = Table(  # of a program of a shape that was known: the candidate that was evaluated, not the one as proposed
    "results",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # the order in which results were told
    Column("brief", Integer, nullable=False),
    Column("candidate", ForeignKey("programs.id"), index=True),
    Column("evaluation", ForeignKey("evaluations.number")),
    Column("failure", LargeBinary),
    Column("seen_before", Boolean, nullable=False),
    ForeignKeyConstraint(["run", "brief"], ["briefs.run", "briefs.number"]),
    UniqueConstraint("run", "brief"),
)

members = Table(  # the first evaluation of each candidate of a run that is not ``infra``; one candidate of each shape
    "members",
    metadata,
    Column("run", ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("candidate", ForeignKey("programs.id"), primary_key=True),
    Column("evaluation", ForeignKey("evaluations.number"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("rank", Double),
)
Index("members_by_rank", members.c.run, members.c.rank.desc(), members.c.seq)
Index("members_by_candidate", members.c.candidate, members.c.evaluation)

best = Table(
    "best",
    metadata,
    Column("run", ForeignKey("runs.number"), primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("evaluations", Integer, nullable=False),
    Column("candidate", ForeignKey("programs.id"), nullable=False),
    Column("score", Double, nullable=False),
    Column("rank", Double, nullable=False),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("runs.number"), nullable=False),
    Column("candidate", ForeignKey("programs.id"), nullable=False),
    Column("split", String, nullable=False),
    Column("evaluation", ForeignKey("evaluations.number"), nullable=False),
)
Index("confirmations_by_candidate", confirmations.c.run, confirmations.c.candidate)

noises = Table(  # A/A measurements: the starting program against its own copy
    "noises",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("runs.number"), nullable=False, index=True),
    Column("machine", ForeignKey("texts.key"), nullable=False),
    Column("data", Text, nullable=False),
)

duels = Table(
    "duels",
    metadata,
    Column("number", Integer, primary_key=True),  # the order in which they were fought
    Column("run", ForeignKey("runs.number"), nullable=False, index=True),
    Column("challenger", ForeignKey("programs.id"), nullable=False),
    Column("champion", ForeignKey("programs.id"), nullable=False),
    Column("evaluation", ForeignKey("evaluations.number"), nullable=False),
    Column("outcome", String, nullable=False),
)

surprises = Table(  # results that jumped too far above the field, measured a second time before they counted
    "surprises",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("runs.number"), nullable=False, index=True),
    Column("candidate", ForeignKey("programs.id"), nullable=False),
    Column("first", ForeignKey("evaluations.number"), nullable=False),
    Column("second", ForeignKey("evaluations.number"), nullable=False),
    Column("counts", String, nullable=False),
)

verifications = Table(  # final measurements repeated on request
    "verifications",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("runs.number"), nullable=False),
    Column("candidate", ForeignKey("programs.id"), nullable=False),
    Column("at", String, nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("evaluations", Text, nullable=False),  # JSON: split -> number of an evaluation
)
Index("verifications_by_candidate", verifications.c.run, verifications.c.candidate)
