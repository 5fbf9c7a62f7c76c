"""Layers that come and go: in their turn, the next while one computes, two at most, and faults are told."""

import threading
import weakref

import pytest
import torch

from llavacli_core.nn.guests import Ferry, Guest

CPU = torch.device("cpu")


class Harbour:
    """Layers that multiply by their number, and what became of those that were fetched."""

    def __init__(self, count):
        self.fetched, self.alive, self.most, self.fails = [], weakref.WeakSet(), 0, set()
        self.fetches = [lambda place=place: self.fetch(place) for place in range(count)]
        self.arrived = threading.Event()

    def fetch(self, place):
        if place in self.fails:
            raise MemoryError(place)
        layer = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(layer.weight, place + 2)
        self.fetched.append(place)
        self.alive.add(layer)
        self.most = max(self.most, len(self.alive))
        self.arrived.set()
        return layer


@torch.inference_mode()
def through(guests):
    x = torch.ones(1, 1)
    for guest in guests:
        x = guest(x)
    return x.item()


def test_round_after_round():
    harbour = Harbour(4)
    ferry = Ferry(harbour.fetches, CPU)
    guests = [Guest(ferry, place, "disk") for place in range(4)]
    assert [through(guests) for _ in range(3)] == [120.0] * 3
    assert harbour.fetched[:12] == [0, 1, 2, 3] * 3
    assert harbour.most <= 2


def test_the_next_comes_while_one_computes():
    harbour = Harbour(3)
    ferry = Ferry(harbour.fetches, CPU)
    with ferry.layer(0):
        harbour.arrived.clear()
        assert harbour.arrived.wait(10) or 1 in harbour.fetched
    assert harbour.fetched[:2] == [0, 1]


def test_out_of_turn():
    """A pass that broke off leaves another layer on its way than the next pass begins with."""
    harbour = Harbour(5)
    ferry = Ferry(harbour.fetches, CPU)
    guests = [Guest(ferry, place, "disk") for place in range(5)]
    through(guests[:2])
    assert through(guests) == 720.0


def test_one_alone():
    harbour = Harbour(1)
    guest = Guest(Ferry(harbour.fetches, CPU), 0, "disk")
    assert through([guest]) == through([guest]) == 2.0
    assert harbour.most == 1


def test_a_layer_that_cannot_come():
    harbour = Harbour(3)
    ferry = Ferry(harbour.fetches, CPU)
    guests = [Guest(ferry, place, "disk") for place in range(3)]
    harbour.fails = {1}
    with pytest.raises(MemoryError):
        through(guests)
    harbour.fails = set()  # there is memory again
    assert through(guests) == 24.0
