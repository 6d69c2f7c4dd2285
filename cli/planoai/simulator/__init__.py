"""A simulated LLM provider that can be told to fail: for the demo, for tests, and for trying a configuration.

    async with Simulator([Rule(Match(key="sk-first"), [Behaviour(status=429)])]) as sim:
        ...  # sim.base_url, sim.requests, sim.set_rules(...)

`run_in_thread` is the same for callers that are not async, `SimulatorClient` steers one in another process, and
`planoai simulate` runs one.
"""

from planoai.simulator.behaviour import Behaviour, ScriptError, ToolCall
from planoai.simulator.client import SimulatorClient
from planoai.simulator.recorder import RecordedRequest
from planoai.simulator.rules import Match, Rule, read_rules
from planoai.simulator.server import Simulator, tls_context
from planoai.simulator.threaded import ThreadedSimulator, run_in_thread

__all__ = [
    "Behaviour",
    "Match",
    "RecordedRequest",
    "Rule",
    "ScriptError",
    "Simulator",
    "SimulatorClient",
    "ThreadedSimulator",
    "ToolCall",
    "read_rules",
    "run_in_thread",
    "tls_context",
]
