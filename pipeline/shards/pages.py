"""Where the FLAC of every row lies within a shard, so that a mapped file gives it without reading what comes before.

A Parquet reader decodes a row group's column from its beginning; with 20 MB of audio that is what a random row would
cost. Our writer stores the column plain and uncompressed, so only page headers need reading (Apache Parquet format
2.11, `PageHeader` in Thrift's compact protocol). A column stored in another way is left to Arrow.
"""

from __future__ import annotations

import mmap
import struct
from typing import Any, Final

import pyarrow.parquet as pq

Span = tuple[int, int]
"""[start, end) in bytes of the file."""

# Values of the format's enumerations, and of Thrift's compact types.
_DATA_PAGE: Final = 0
_PLAIN: Final = 0
_RLE: Final = 3
_BOOLEANS: Final = (1, 2)
_INTEGERS: Final = (4, 5, 6)
_BINARY: Final = 8
_STRUCT: Final = 12


class _OtherLayout(Exception):
    pass


def spans(file: mmap.mmap, column: pq.ColumnChunkMetaData) -> list[Span] | None:
    """The span of every value of a chunk of an optional binary column; None where it is not stored as described."""
    if column.compression != "UNCOMPRESSED" or column.has_dictionary_page:
        return None
    at, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
    found = list[Span]()
    try:
        while at < end:
            header, at = _header(file, at)
            page_end = at + header[3]
            if header[1] != _DATA_PAGE or (header[5][2], header[5][3]) != (_PLAIN, _RLE):
                return None
            (levels,) = struct.unpack_from("<I", file, at)
            at += 4 + levels
            while at < page_end:
                (length,) = struct.unpack_from("<I", file, at)
                found.append((at + 4, at + 4 + length))
                at += 4 + length
            if at != page_end:
                return None
    except (_OtherLayout, KeyError, IndexError, TypeError, struct.error):
        return None
    return found if len(found) == column.num_values else None


def _header(file: mmap.mmap, at: int) -> tuple[dict[int, Any], int]:
    """Fields of a Thrift struct by number, and where it ends."""
    fields, number = dict[int, Any](), 0
    while kind := file[at]:
        number, kind, at = number + (kind >> 4), kind & 15, at + 1
        if kind in _BOOLEANS:
            fields[number] = kind == 1
        elif kind in _INTEGERS:
            value, at = _varint(file, at)
            fields[number] = value >> 1 ^ -(value & 1)
        elif kind == _STRUCT:
            fields[number], at = _header(file, at)
        elif kind == _BINARY:
            length, at = _varint(file, at)
            at += length
        else:
            raise _OtherLayout
    return fields, at + 1


def _varint(file: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = file[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
