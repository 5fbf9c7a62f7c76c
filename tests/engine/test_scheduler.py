"""The scheduler counts rows and positions, whatever comes and goes."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llavacli_core.engine.scheduler import Scheduler

ROWS, POSITIONS = 4, 100


class Traffic(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.scheduler = Scheduler(ROWS, POSITIONS)
        self.running = {}
        self.count = 0

    @rule(room=st.integers(1, 150))
    def ask(self, room):
        if self.scheduler.admits(room):
            self.scheduler.admit(self.count, room)
            self.running[self.count] = room
            self.count += 1
        else:
            longest = max(room, *self.running.values())
            assert len(self.running) == ROWS or (len(self.running) + 1) * longest > POSITIONS

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data):
        answer = data.draw(st.sampled_from(sorted(self.running)))
        self.scheduler.retire(answer)
        del self.running[answer]

    @invariant()
    def fits(self):
        if len(self.running) > 1:
            assert len(self.running) <= ROWS
            assert len(self.running) * max(self.running.values()) <= POSITIONS


TestTraffic = Traffic.TestCase


@given(st.integers(1, 10**9))
def test_one_alone_is_always_admitted(room):
    assert Scheduler(1, 1).admits(room)
