"""Many scenes at once, results in order: a model takes seconds to reply, and threads wait for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pipeline.errors import BudgetReached, EndpointDown

In = TypeVar("In")
Out = TypeVar("Out")


def in_order(function: Callable[[In], Out], items: Iterable[In], *, threads: int) -> Generator[Out]:
    """`map`, computed ahead by so many threads (0: none), yielded in the order of `items` whoever is done first.

    At most 4 x `threads` results are ahead, which bounds memory and still keeps the threads busy behind a slow item.
    """
    if not threads:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="scene")
    ahead: deque[Future[Out]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) >= 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except (EndpointDown, BudgetReached):
        # What is in flight is paid for: let it arrive and be kept. Nothing new starts, the bridge sees to that.
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
