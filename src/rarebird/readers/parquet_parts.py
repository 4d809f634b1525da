"""The files of a Parquet table, their common columns, and their rows, some at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarebird.core.checks import DataError, some

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

SUFFIXES = (".parquet", ".pq")
# Bytes of a column that are read at a time: rows of one group need not be in memory together.
BUFFER = 1 << 16


@dataclass(frozen=True)
class Part:
    """One file of a table.

    Attributes:
        path: The file.
        metadata: What it declares.
        constants: Columns that the names of its folders give.
    """

    path: Path
    metadata: parquet.FileMetaData
    constants: Mapping[str, Any] = field(default_factory=dict)

    def may_be_missing(self, name: str) -> bool:
        """Whether a column may have missing values, as far as the file says."""
        if name in self.constants:
            return self.constants[name] is None
        place = self.metadata.schema.names.index(name)
        for group in range(self.metadata.num_row_groups):
            known = self.metadata.row_group(group).column(place).statistics
            if known is None or not known.has_null_count or known.null_count:
                return True
        return False


def files_in(folder: Path) -> list[Path]:
    """The Parquet files below a folder, without those that writers hide (names that begin with a point or `_`)."""
    found = sorted(path for suffix in SUFFIXES for path in folder.rglob(f"*{suffix}") if path.is_file())
    return [path for path in found if not any(part[0] in "._" for part in path.relative_to(folder).parts)]


def parts_of(path: Path) -> tuple[list[Part], pa.Schema]:
    """The files of a table, a file or a folder, in order, and its columns.

    Raises:
        DataError: The files have different columns.
    """
    from pyarrow import dataset, parquet

    if not path.is_dir():
        with parquet.ParquetFile(path) as file:
            return [Part(path, file.metadata)], file.schema_arrow
    rows = whole(path)
    _refuse_other_columns(path, rows)
    parts = [
        Part(
            Path(fragment.path),
            parquet.read_metadata(fragment.path),
            dataset.get_partition_keys(fragment.partition_expression),
        )
        for fragment in rows.get_fragments()
    ]
    return parts, rows.schema


def whole(folder: Path) -> pa.dataset.Dataset:
    """All files below a folder as one table; a column has a type that holds the values of all files, if there is
    one."""
    import pyarrow as pa
    from pyarrow import dataset

    files = [str(file) for file in files_in(folder)]
    partitioning = dataset.partitioning(flavor="hive")

    def rows(schema: pa.Schema | None = None) -> pa.dataset.Dataset:
        base = str(folder)
        return dataset.dataset(files, schema, "parquet", partitioning=partitioning, partition_base_dir=base)

    found = rows()
    own = [fragment.physical_schema for fragment in found.get_fragments()]
    known = set(found.schema.names)
    if all(found.schema.field(one.name).type == one.type for schema in own for one in schema if one.name in known):
        return found
    try:  # whole numbers in one file, and numbers with decimals in another
        return rows(pa.unify_schemas([found.schema, *own], promote_options="permissive"))
    except pa.ArrowException:
        return found


def batches(parts: Sequence[Part], schema: pa.Schema, names: Collection[str], rows: int) -> Iterator[pa.Table]:
    """The columns `names` of all files in order, at most `rows` rows at a time, with the types of `schema`."""
    import pyarrow as pa
    from pyarrow import parquet

    wanted = pa.schema([schema.field(name) for name in names]).remove_metadata()
    for part in parts:
        own = [name for name in names if name not in part.constants]
        constants = {name: pa.scalar(part.constants[name], schema.field(name).type) for name in part.constants}
        # Without a column of its own, a file still has rows.
        read = own or part.metadata.schema.names[:1]
        with parquet.ParquetFile(part.path, pre_buffer=False, buffer_size=BUFFER) as file:
            # Memory that other threads took would stay with them: hundreds of megabytes for a thousand columns.
            for batch in file.iter_batches(rows, columns=read, use_threads=False):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True)) if own else {}
                columns |= {name: pa.repeat(value, len(batch)) for name, value in constants.items()}
                table = pa.table([columns[name] for name in names], names=list(names))
                yield table if table.schema == wanted else table.cast(wanted)
                pa.default_memory_pool().release_unused()
    release_memory()


def release_memory() -> None:
    """Return to the system what Arrow keeps of the memory that it does not use any more."""
    import pyarrow as pa

    for pool in (pa.default_memory_pool(), pa.system_memory_pool()):
        pool.release_unused()


def _refuse_other_columns(path: Path, rows: pa.dataset.Dataset) -> None:
    """Refuse a folder whose files are not parts of one table."""
    fragments = list(rows.get_fragments())
    first = fragments[0].physical_schema.names
    for fragment in fragments[1:]:
        other = fragment.physical_schema.names
        if set(other) != set(first):
            different = some(sorted(map(repr, set(other) ^ set(first))))
            raise DataError(
                f"The Parquet files in {path} have different columns ({different} in {Path(fragment.path).name}) "
                "and so are not parts of one table; give one of the files."
            )
