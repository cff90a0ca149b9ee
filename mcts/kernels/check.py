"""Whether a tree's records agree with each other."""

from __future__ import annotations

from enum import IntEnum

from numba import njit

from mcts.kernels.records import BUSY, CLOSED, EXPANDED, Ids, Ledger, Nodes
from mcts.tree import NO_NODE


class Fault(IntEnum):
    """What `find_fault` may find wrong with a node."""

    NONE = 0
    LINK = 1
    """A child or sibling lies outside the arena."""
    PARENT = 2
    """A chained child names another parent, or the root names any."""
    DEPTH = 3
    """Not the parent's depth plus one, or 0 at the root."""
    ORDER = 4
    """Created before its parent or its elder sibling, or the root is not the first."""
    CHAIN = 5
    """The ledger's last child or number of children is not the chain's."""
    VISITS = 6
    """Fewer visits than its children together."""
    IN_FLIGHT = 7
    """Neither as many in flight as its children together nor one more (a held leaf), or its mark as busy is wrong."""
    CLOSED = 8
    """Open though expanded and all children are closed; closed though one is open."""


LINK, PARENT, DEPTH, ORDER = int(Fault.LINK), int(Fault.PARENT), int(Fault.DEPTH), int(Fault.ORDER)
CHAIN, VISITS, IN_FLIGHT, OPENNESS = int(Fault.CHAIN), int(Fault.VISITS), int(Fault.IN_FLIGHT), int(Fault.CLOSED)


@njit(cache=True)
def _fault_of_child(nodes: Nodes, ledger: Ledger, node: int, elder: int, child: int) -> int:
    """The fault of the link that leads to `child`, which stands behind `elder` (the node itself for the first)."""
    if child < 0 or child >= len(nodes):
        return LINK
    if nodes[child].parent != node:
        return PARENT
    if nodes[child].depth != nodes[node].depth + 1:
        return DEPTH
    return ORDER if ledger[child].ordinal <= ledger[elder].ordinal else 0


@njit(cache=True)
def _fault_of_family(nodes: Nodes, ledger: Ledger, node: int, counted: bool) -> tuple[int, int]:
    """The first fault between a node and its children: (node at fault, code)."""
    record = nodes[node]
    last, children, visits, in_flight, is_open, is_free = NO_NODE, 0, 0, 0, False, False
    child = record.first_child
    while child != NO_NODE:
        fault = _fault_of_child(nodes, ledger, node, node if last == NO_NODE else last, child)
        if fault:
            return (node if fault == LINK else child), fault
        below = nodes[child]
        children += 1
        visits += below.visits
        in_flight += below.in_flight
        is_open |= below.flags & CLOSED == 0
        is_free |= below.flags & (CLOSED | BUSY) == 0
        last, child = child, below.next_sibling
    if ledger[node].last_child != last or ledger[node].children != children:
        return node, CHAIN
    if counted and record.visits < visits:
        return node, VISITS
    held = record.in_flight - in_flight
    is_expanded, is_closed = record.flags & EXPANDED != 0, record.flags & CLOSED != 0
    busy = held == 1 or (is_expanded and is_open and not is_free)
    if held not in (0, 1) or busy != (record.flags & BUSY != 0):
        return node, IN_FLIGHT
    if is_expanded and children > 0 and is_closed == is_open:
        return node, OPENNESS
    return NO_NODE, 0


@njit(cache=True)
def find_fault(nodes: Nodes, ledger: Ledger, roots: Ids, counted: bool) -> tuple[int, int]:
    """Check trees whose backups are complete, node by node from the root, children in order.

    Ordinals grow along every link that is followed, so a corrupt tree ends the check, too.

    Args:
        roots: [T] int32.
        counted: Whether every visit of a child is one of its parent: so it is where backups go up to the root.

    Returns:
        The first node at fault and its `Fault`, or `NO_NODE` and `Fault.NONE`.
    """
    for root in roots:
        if nodes[root].parent != NO_NODE or nodes[root].next_sibling != NO_NODE:
            return root, PARENT
        if nodes[root].depth != 0:
            return root, DEPTH
        if ledger[root].ordinal != 0:
            return root, ORDER
        node = root
        while node != NO_NODE:
            culprit, fault = _fault_of_family(nodes, ledger, node, counted)
            if fault:
                return culprit, fault
            if nodes[node].first_child != NO_NODE:
                node = nodes[node].first_child
                continue
            while node != root and nodes[node].next_sibling == NO_NODE:
                node = nodes[node].parent
            node = NO_NODE if node == root else nodes[node].next_sibling
    return NO_NODE, 0
