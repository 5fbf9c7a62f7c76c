"""llavacli_core: LLaVA-family checkpoints, from pictures and words to words, as a library.

    import llavacli_core as core

    engine = core.load("llava-hf/llava-1.5-7b-hf")
    for event in engine.generate([core.Message("user", [core.Image("cat.jpg"), "What is this?"])]):
        ...

This is the only door. Every public name is here, and each is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llavacli_core.version import __version__ as __version__

if TYPE_CHECKING:
    from llavacli_core import errors as errors
    from llavacli_core.budgets import memory_budgets as memory_budgets
    from llavacli_core.checkpoint.footprint import Footprint as Footprint
    from llavacli_core.checkpoint.footprint import Work as Work
    from llavacli_core.checkpoint.host import Room as Room
    from llavacli_core.documented.names import *  # noqa: F403
    from llavacli_core.engine.captions import CaptionProcessor as CaptionProcessor
    from llavacli_core.engine.engine import Engine as Engine
    from llavacli_core.engine.engine import load as load
    from llavacli_core.engine.environment import Environment as Environment
    from llavacli_core.engine.environment import environment as environment
    from llavacli_core.engine.fit import Fit as Fit
    from llavacli_core.engine.fit import best_fit as best_fit
    from llavacli_core.engine.fit import check_memory as check_memory
    from llavacli_core.engine.fit import fit as fit
    from llavacli_core.engine.fit import fits as fits
    from llavacli_core.engine.fit import refuse_impossible as refuse_impossible
    from llavacli_core.engine.fit import settled_device as settled_device
    from llavacli_core.engine.fit import work_of as work_of
    from llavacli_core.engine.generate import Generation as Generation
    from llavacli_core.engine.info import ModelInfo as ModelInfo
    from llavacli_core.engine.plan import Plan as Plan
    from llavacli_core.engine.processor import Processor as Processor
    from llavacli_core.engine.processor_loading import load_processor as load_processor
    from llavacli_core.engine.request import Request as Request
    from llavacli_core.engine.scores import Scores as Scores
    from llavacli_core.engine.seen import SeenTiles as SeenTiles
    from llavacli_core.engine.seen import tiles_as_seen as tiles_as_seen
    from llavacli_core.engine.session import Session as Session
    from llavacli_core.engine.sheet import Sheet as Sheet
    from llavacli_core.engine.sheet import load_sheet as load_sheet
    from llavacli_core.engine.sheet import sample_prompt as sample_prompt
    from llavacli_core.engine.workers import Workers as Workers
    from llavacli_core.events import BatchEvent as BatchEvent
    from llavacli_core.events import Done as Done
    from llavacli_core.events import Event as Event
    from llavacli_core.events import Failed as Failed
    from llavacli_core.events import Progress as Progress
    from llavacli_core.events import SeenImage as SeenImage
    from llavacli_core.events import SeenVideo as SeenVideo
    from llavacli_core.events import Text as Text
    from llavacli_core.events import Timing as Timing
    from llavacli_core.events import Usage as Usage
    from llavacli_core.hub.inventory import CachedModel as CachedModel
    from llavacli_core.hub.inventory import cached_ids as cached_ids
    from llavacli_core.hub.locate import aliases as aliases
    from llavacli_core.hub.locate import download as download
    from llavacli_core.hub.locate import is_cached as is_cached
    from llavacli_core.hub.pull import Pull as Pull
    from llavacli_core.hub.removal import Removal as Removal
    from llavacli_core.hub.shelf import find_model as find_model
    from llavacli_core.hub.shelf import list_models as list_models
    from llavacli_core.hub.shelf import plan_pull as plan_pull
    from llavacli_core.hub.shelf import plan_removal as plan_removal
    from llavacli_core.hub.shelf import plan_verification as plan_verification
    from llavacli_core.hub.verify import Checked as Checked
    from llavacli_core.hub.verify import Verification as Verification
    from llavacli_core.marks import Length as Length
    from llavacli_core.marks import Mark as Mark
    from llavacli_core.media.footage import is_video as is_video
    from llavacli_core.media.marking import draw_marks as draw_marks
    from llavacli_core.media.names import shown as shown
    from llavacli_core.media.recognition import is_animated as is_animated
    from llavacli_core.media.recognition import is_picture as is_picture
    from llavacli_core.media.signature import begins_as_picture as begins_as_picture
    from llavacli_core.media.source import local_path as local_path
    from llavacli_core.messages import Image as Image
    from llavacli_core.messages import Message as Message
    from llavacli_core.messages import Video as Video
    from llavacli_core.options import Placement as Placement
    from llavacli_core.options import Sampling as Sampling
else:
    from llavacli_core.documented.names import DOCUMENTED

    _ROOMS = {
        **DOCUMENTED,
        "aliases": "hub.locate",
        "download": "hub.locate",
        "is_cached": "hub.locate",
        "CachedModel": "hub.inventory",
        "cached_ids": "hub.inventory",
        "Pull": "hub.pull",
        "Removal": "hub.removal",
        "find_model": "hub.shelf",
        "list_models": "hub.shelf",
        "plan_pull": "hub.shelf",
        "plan_removal": "hub.shelf",
        "plan_verification": "hub.shelf",
        "Checked": "hub.verify",
        "Verification": "hub.verify",
        "Engine": "engine.engine",
        "load": "engine.engine",
        "Footprint": "checkpoint.footprint",
        "Work": "checkpoint.footprint",
        "Room": "checkpoint.host",
        "Environment": "engine.environment",
        "environment": "engine.environment",
        "Fit": "engine.fit",
        "best_fit": "engine.fit",
        "check_memory": "engine.fit",
        "fit": "engine.fit",
        "fits": "engine.fit",
        "memory_budgets": "budgets",
        "settled_device": "engine.fit",
        "refuse_impossible": "engine.fit",
        "work_of": "engine.fit",
        "Generation": "engine.generate",
        "CaptionProcessor": "engine.captions",
        "ModelInfo": "engine.info",
        "Plan": "engine.plan",
        "Processor": "engine.processor",
        "Request": "engine.request",
        "load_processor": "engine.processor_loading",
        "Scores": "engine.scores",
        "SeenTiles": "engine.seen",
        "tiles_as_seen": "engine.seen",
        "Session": "engine.session",
        "Sheet": "engine.sheet",
        "load_sheet": "engine.sheet",
        "sample_prompt": "engine.sheet",
        "Workers": "engine.workers",
        "Done": "events",
        "Event": "events",
        "Failed": "events",
        "BatchEvent": "events",
        "Progress": "events",
        "SeenImage": "events",
        "SeenVideo": "events",
        "Text": "events",
        "Timing": "events",
        "Usage": "events",
        "Length": "marks",
        "Mark": "marks",
        "is_animated": "media.recognition",
        "is_video": "media.footage",
        "draw_marks": "media.marking",
        "is_picture": "media.recognition",
        "begins_as_picture": "media.signature",
        "shown": "media.names",
        "local_path": "media.source",
        "Image": "messages",
        "Message": "messages",
        "Video": "messages",
        "Placement": "options",
        "Sampling": "options",
    }

    def __getattr__(name: str) -> Any:
        if name == "errors":
            return import_module("llavacli_core.errors")
        if name not in _ROOMS:
            raise AttributeError(f"llavacli_core has no {name!r}")
        return getattr(import_module(f"llavacli_core.{_ROOMS[name]}"), name)

    def __dir__() -> list[str]:
        return sorted([*_ROOMS, "errors", "__version__"])
