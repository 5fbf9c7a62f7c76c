"""Fetching: only what is needed, resumed, hashed, refused in time; into the cache or a folder."""

from __future__ import annotations

import os
import shutil
import threading

import pytest

from llavacli_core import errors
from llavacli_core.hub import places, transfer
from llavacli_core.hub.needed import wanted
from llavacli_core.hub.shelf import plan_pull, plan_removal, plan_verification
from llavacli_core.hub.snapshot import cached as found
from llavacli_core.hub.verify import Checked
from tests.hub import fake_hub
from tests.hub.conftest import NAME, SHARDS, pull
from tests.hub.fake_hub import COMMIT

NEEDED = sorted(["chat_template.jinja", "config.json", "tokenizer.json", "model.safetensors.index.json", *SHARDS])


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits between two tries."""
    monkeypatch.setattr(transfer, "PAUSE", 0.0)


def test_a_pull_fetches_what_loading_needs_in_the_hubs_own_layout(hub, cached, repository):
    plan = plan_pull(NAME)
    assert plan.fetched[0].name == "config.json"
    assert sorted(file.name for file in plan.fetched) == NEEDED
    progress = list(plan.run())
    assert progress[-1].done == progress[-1].total == plan.size
    assert [step.done for step in progress] == sorted(step.done for step in progress)
    folder = cached.snapshot(COMMIT)
    assert sorted(os.listdir(folder)) == NEEDED
    assert all((folder / name).read_bytes() == (repository / name).read_bytes() for name in NEEDED)
    assert all((folder / name).is_symlink() for name in NEEDED)
    assert cached.refs() == {"main": COMMIT}
    assert found(NAME, None) == folder
    assert not cached.partials()


def test_huggingface_hub_finds_what_was_pulled(pulled, tmp_path):
    from huggingface_hub import scan_cache_dir, snapshot_download

    assert snapshot_download(NAME, cache_dir=tmp_path / "home" / "hub", local_files_only=True) == str(pulled)
    (repo,) = scan_cache_dir(tmp_path / "home" / "hub").repos
    assert (repo.repo_id, repo.nb_files) == (NAME, len(NEEDED))


def test_what_huggingface_hub_fetched_is_not_fetched_again(hub, tmp_path):
    from huggingface_hub import snapshot_download

    snapshot_download(NAME, cache_dir=tmp_path / "home" / "hub")
    hub.served = 0
    assert not plan_pull(NAME).fetched


def test_a_second_pull_asks_once_and_fetches_nothing(hub, pulled):
    hub.asked.clear()
    assert pull().fetched == ()
    assert hub.asked == [f"/api/models/{NAME}"]


def test_what_an_earlier_attempt_left_is_kept(hub, cached, repository):
    plan = plan_pull(NAME)
    for shard, had in zip(SHARDS, (150_000, 200_000), strict=True):
        file = next(file for file in plan.files if file.name == shard)
        partial = plan.place.partial(file)
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes((repository / shard).read_bytes()[:had])
    plan = plan_pull(NAME)
    assert plan.resumed == 350_000
    list(plan.run())
    total = sum((repository / shard).stat().st_size for shard in SHARDS)
    assert hub.served == total - 350_000


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_again(hub, ranges):
    hub.failing, hub.ranges = 3, ranges
    assert pull().folder.is_dir()
    assert found(NAME, None)


def test_an_attempt_that_left_other_bytes_is_not_trusted(hub, cached, repository):
    plan = plan_pull(NAME)
    file = next(file for file in plan.files if file.name == SHARDS[0])
    partial = plan.place.partial(file)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"\1" * 100_000)
    list(plan.run())
    assert (plan.folder / SHARDS[0]).read_bytes() == (repository / SHARDS[0]).read_bytes()


def test_what_is_not_what_the_hub_lists_is_refused(hub, cached):
    hub.lies = True
    with pytest.raises(errors.CheckpointError, match="arrived damaged"):
        pull()
    assert found(NAME, None) is None
    assert not any(path.name.startswith("model-") for path in cached.partials())


def test_a_mirror_that_tells_no_sizes_is_asked_for_each_file(hub):
    hub.tells_sizes = False
    assert pull().size > 400_000
    assert found(NAME, None)


def test_a_damaged_blob_is_fetched_again_where_it_is_named(hub, pulled):
    blob = (pulled / SHARDS[1]).resolve()
    sound = blob.read_bytes()
    blob.write_bytes(sound[:-1] + b"\0")
    hub.served = 0
    assert pull().fetched == ()
    pull(again=lambda name: name == SHARDS[1])
    assert (pulled / SHARDS[1]).read_bytes() == sound
    assert hub.served == len(sound)


def test_a_blob_that_was_cut_short_or_is_gone_is_fetched_again(hub, pulled):
    first, second = ((pulled / shard).resolve() for shard in SHARDS)
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    assert {file.name for file in pull().fetched} == set(SHARDS)
    assert found(NAME, None) == pulled


def test_another_revision_shares_the_blobs_it_has_in_common(hub, pulled, repository, cached):
    hub.commit = "f" * 40
    (repository / "tokenizer.json").write_text('{"new": 1}')
    hub.served = 0
    plan = pull()
    assert hub.served == 0
    assert cached.commits() == [COMMIT, "f" * 40]
    assert cached.refs() == {"main": "f" * 40}
    assert (plan.folder / SHARDS[0]).samefile(pulled / SHARDS[0])
    assert (plan.folder / "tokenizer.json").read_text() != (pulled / "tokenizer.json").read_text()


def test_where_there_are_no_links_the_files_themselves_are_there(hub, cached, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", refuse)
    folder = pull().folder
    assert not any((folder / name).is_symlink() for name in NEEDED)
    assert found(NAME, None) == folder
    assert not pull().fetched
    assert not list(cached.blob("").iterdir())
    checked = [each for each in plan_verification(NAME).run() if isinstance(each, Checked)]
    assert {each.problem for each in checked} == {None}
    assert plan_removal(NAME).freed >= sum((folder / name).stat().st_size for name in NEEDED)


def test_a_commit_leaves_no_branch(hub, cached):
    pull(revision=COMMIT)
    assert cached.refs() == {}
    assert found(NAME, COMMIT)
    assert found(NAME, None) is None


def test_a_full_disk_is_known_before_anything_is_fetched(hub, monkeypatch, cached):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 300_000))
    plan = plan_pull(NAME)
    with pytest.raises(errors.DiskFull, match="0\\.0 GB left") as raised:
        list(plan.run())
    assert raised.value.code == "cannot_write"
    assert hub.served == 0
    assert not cached.folder.exists()


def test_a_disk_that_fills_up_on_the_way_keeps_what_has_come(hub, monkeypatch, cached, repository):
    written = transfer._write

    def write(out, data):
        if out.tell() > 100_000:
            raise OSError(28, "No space left on device")
        written(out, data)

    monkeypatch.setattr(transfer, "_write", write)
    with pytest.raises(errors.DiskFull, match="the disk is full"):
        pull()
    monkeypatch.undo()
    assert cached.partials()


def test_a_place_that_cannot_be_written_to(hub, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.CannotWrite, match="cannot be written") as raised:
        pull(folder=tmp_path / "file")
    assert raised.value.code == "cannot_write"


def test_a_mirror_that_tells_no_hashes_is_refused(hub, monkeypatch):
    hub.tells_sizes, hub.tells_hashes = False, False
    with pytest.raises(errors.Unreachable, match="tells no hash") as raised:
        pull()
    assert "HF_ENDPOINT" in raised.value.hint


def test_a_folder_of_ones_own(hub, tmp_path, repository):
    place = tmp_path / "mine"
    assert pull(folder=place).folder == place
    assert sorted(name for name in os.listdir(place) if name != ".cache") == NEEDED
    assert not any((place / name).is_symlink() for name in NEEDED)
    notes = places.noted(place)
    assert sorted(notes) == NEEDED
    assert not pull(folder=place).fetched
    assert not (tmp_path / "home" / "hub").exists()


def test_files_that_came_some_other_way_are_kept_if_they_are_the_same(hub, tmp_path, repository):
    place = tmp_path / "mine"
    place.mkdir()
    shutil.copy(repository / SHARDS[0], place)
    (place / SHARDS[1]).write_bytes(bytes((repository / SHARDS[1]).stat().st_size))
    pull(folder=place)
    assert hub.served == (repository / SHARDS[1]).stat().st_size
    assert (place / SHARDS[1]).read_bytes() == (repository / SHARDS[1]).read_bytes()


def test_huggingface_hub_finds_what_was_pulled_to_a_folder(hub, tmp_path):
    from huggingface_hub import snapshot_download

    pull(folder=tmp_path / "mine")
    hub.served = 0
    snapshot_download(NAME, local_dir=tmp_path / "mine", allow_patterns=NEEDED)
    assert hub.served == 0


def test_names_that_lead_elsewhere_are_refused(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(fake_hub, "etag", lambda name, data: "../../../outside")
    with pytest.raises(errors.Unreachable, match="no hash"):
        pull()
    assert wanted(["config.json", "..\\a.json", "../b.json", "/c.json"], weights=True) == ["config.json"]


def test_two_pulls_at_once_fetch_everything_once(hub, cached):
    hub.rate = 400_000
    plans = [plan_pull(NAME), plan_pull(NAME)]
    running = [threading.Thread(target=lambda plan=plan: list(plan.run())) for plan in plans]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert hub.served == sum(file.size for file in plans[0].files if file.name in SHARDS)
    assert found(NAME, None)


def test_a_shard_that_the_repository_lacks_is_known_before_the_others_are_fetched(hub, repository):
    (repository / SHARDS[1]).unlink()
    with pytest.raises(errors.CheckpointError, match=f"{NAME} lacks {SHARDS[1]}"):
        pull()
    assert hub.served == 0


def test_gated(hub, monkeypatch):
    hub.gated, hub.token = True, "hf_right"
    with pytest.raises(errors.ModelMissing, match="is gated") as raised:
        pull()
    assert "HF_TOKEN" in raised.value.hint
    assert f"/{NAME}" in raised.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert pull().folder.is_dir()


def test_private(hub, monkeypatch):
    hub.private, hub.token = True, "hf_right"
    with pytest.raises(errors.ModelMissing, match="not on the Hub, or is private"):
        pull()
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert pull().folder.is_dir()


@pytest.mark.parametrize(
    ("status", "hint"), [(403, "HF_TOKEN"), (429, "wait"), (500, "later"), (503, "later"), (418, "HF_ENDPOINT")]
)
def test_refusals_say_what_to_do(hub, status, hint):
    hub.statuses[NAME] = status
    with pytest.raises(errors.ModelMissing, match=f"answered {status}") as raised:
        pull()
    assert hint in raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_server_in_trouble_on_the_way_is_asked_again_and_then_given_up(hub):
    hub.statuses["/cdn/" + SHARDS[0]] = 503
    with pytest.raises(errors.Unreachable, match="answered 503"):
        pull()
    assert hub.asked.count("/cdn/" + SHARDS[0]) == transfer.TRIES
    hub.statuses.clear()
    assert pull().folder.is_dir()


def test_what_may_have_been_meant(hub):
    with pytest.raises(errors.ModelMissing) as raised:
        pull("llava-hf/llava-1.5-7b")
    assert raised.value.hint == "did you mean llava-hf/llava-1.5-7b-hf?"
    with pytest.raises(errors.ModelMissing) as raised:
        plan_pull("llava-1.5-7")
    assert raised.value.hint == "did you mean llava-1.5-7b?"


def test_what_cannot_be_pulled(hub, repository):
    for model in ("", "demo", str(repository)):
        with pytest.raises(errors.BadOption):
            plan_pull(model)


def test_a_file_that_is_listed_and_not_there_is_named(hub, monkeypatch):
    file = fake_hub.Handler.file

    def lacking(self, revision, name):
        if name == "tokenizer.json":
            self.refuse(404, "EntryNotFound", "no such file")
        else:
            file(self, revision, name)

    monkeypatch.setattr(fake_hub.Handler, "file", lacking)
    with pytest.raises(errors.ModelMissing, match=r"has no tokenizer\.json") as raised:
        pull()
    assert "mirror" in raised.value.hint
