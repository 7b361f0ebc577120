"""Embedders: what models want, real loading of small models made here, an endpoint over HTTP, a cache that lasts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from store.errors import KarlError, UsageError
from store.search_servers import EmbeddingConventions, EmbeddingSettings
from store.vectors.conventions import INSTRUCTION, Prefixes, prefixes_of
from store.vectors.embedders import fingerprint_of, make_embedder
from store.vectors.embedding_cache import EmbeddingCache
from store.vectors.endpoint_embedder import EndpointEmbedder
from store.vectors.sentence_embedder import SentenceEmbedder
from tests.store.embedding_endpoint_double import EndpointDouble, endpoint_double
from tests.store.test_vectors import HashEmbedder

NONE = EmbeddingConventions()
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "harbor", "budget", "query", "passage", ":", "lisbon", "train", "the"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen/Qwen3-Embedding-0.6B", Prefixes(f"Instruct: {INSTRUCTION}\nQuery:")),
        ("Alibaba-NLP/gte-Qwen2-1.5B-instruct", Prefixes(f"Instruct: {INSTRUCTION}\nQuery: ")),
        ("Alibaba-NLP/gte-modernbert-base", Prefixes()),
        ("thenlper/gte-small", Prefixes()),
        ("intfloat/e5-base-v2", Prefixes("query: ", "passage: ")),
        ("intfloat/multilingual-e5-large-instruct", Prefixes(f"Instruct: {INSTRUCTION}\nQuery: ")),
        ("/models/multilingual-e5-small/", Prefixes("query: ", "passage: ")),
        ("nomic-ai/nomic-embed-text-v1.5", Prefixes("search_query: ", "search_document: ")),
        ("Snowflake/snowflake-arctic-embed-m-v2.0", Prefixes("query: ")),
        ("BAAI/bge-m3", Prefixes()),
        ("somebody/some-model", Prefixes()),
    ],
)
def test_known_models_get_their_prefixes(name: str, expected: Prefixes) -> None:
    assert prefixes_of(name, NONE) == expected


def test_settings_go_before_the_table_and_before_a_models_own_prompts(tmp_path: Path) -> None:
    told = EmbeddingConventions(instruction="Find the filing")
    assert prefixes_of("Qwen3-Embedding-8B", told).query == "Instruct: Find the filing\nQuery:"
    assert prefixes_of("e5-base", EmbeddingConventions(query_prefix="", passage_prefix="p ")) == Prefixes("", "p ")
    (tmp_path / "config_sentence_transformers.json").write_text('{"prompts": {"query": "Q: ", "document": "D: "}}')
    assert prefixes_of(str(tmp_path), NONE) == Prefixes("Q: ", "D: ")
    assert prefixes_of(str(tmp_path), EmbeddingConventions(query_prefix="x")) == Prefixes("x", "D: ")


def test_only_what_changes_a_passage_changes_the_fingerprint() -> None:
    def of(**changes: object) -> str:
        conventions = EmbeddingConventions.model_validate(changes)
        prefix = prefixes_of("some/model", conventions).passage
        return fingerprint_of("some/model", conventions=conventions, passage_prefix=prefix)

    plain = of()
    assert of(query_prefix="q: ", instruction="x", passage_prefix="") == plain
    changed = [of(passage_prefix="p: "), of(normalize=False), of(max_tokens=64), of(dimensions=32)]
    assert len({plain, *changed}) == 5


@pytest.fixture(scope="module")
def small_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers, saved as sentence-transformers saves a model."""
    models = pytest.importorskip("sentence_transformers.models")
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

    set_seed(7)
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "raw")
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **shape)).save_pretrained(folder / "raw")
    words = models.Transformer(str(folder / "raw"), max_seq_length=48)
    SentenceTransformer(modules=[words, models.Pooling(16, "mean")], device="cpu").save(str(folder / "e5-tiny"))
    return folder / "e5-tiny"


@pytest.fixture(scope="module")
def small_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3 of two layers that pools its last token, with the prompts that Qwen3-Embedding declares."""
    models = pytest.importorskip("sentence_transformers.models")
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers import models as token_models
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model, set_seed

    set_seed(7)
    folder = tmp_path_factory.mktemp("qwen")
    tokenizer = Tokenizer(token_models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", padding_side="left").save_pretrained(
        folder / "raw"
    )
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = Qwen3Config(vocab_size=len(WORDS), head_dim=8, intermediate_size=32, max_position_embeddings=64, **shape)
    Qwen3Model(config).save_pretrained(folder / "raw")
    words, pooled = models.Transformer(str(folder / "raw"), max_seq_length=48), models.Pooling(16, "lasttoken")
    prompts = {"query": "the query : ", "document": ""}
    SentenceTransformer(modules=[words, pooled], prompts=prompts, device="cpu").save(str(folder / "own"))
    return folder / "own"


def embedded(folder: Path, home: Path, **changes: object) -> SentenceEmbedder:
    found = make_embedder(str(folder), home=home, conventions=EmbeddingConventions.model_validate(changes))
    assert isinstance(found, SentenceEmbedder)
    return found


def test_a_models_folder_is_loaded_with_its_prefixes(small_bert: Path, tmp_path: Path) -> None:
    embedder, plain = embedded(small_bert, tmp_path), embedded(small_bert, tmp_path, query_prefix="", passage_prefix="")
    passage, query = embedder.embed_passages(["harbor budget"]), embedder.embed_queries(["harbor budget"])
    assert passage.shape == (1, 16) and passage.dtype == np.float32
    assert np.linalg.norm(passage) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(passage, plain.embed_queries(["passage: harbor budget"]))
    assert np.array_equal(query, plain.embed_queries(["query: harbor budget"]))
    assert not np.allclose(passage, query, atol=1e-3)


def test_lengths_dimensions_and_norms_can_be_set(small_bert: Path, tmp_path: Path) -> None:
    short = embedded(small_bert, tmp_path, max_tokens=8, passage_prefix="")
    long = "harbor budget lisbon train harbor budget"
    assert np.array_equal(short.embed_passages([long]), short.embed_passages([long + " the the the"]))
    raw, half = embedded(small_bert, tmp_path, normalize=False), embedded(small_bert, tmp_path, dimensions=8)
    assert np.linalg.norm(raw.embed_passages(["harbor"])) > 1.5
    assert half.embed_passages(["harbor"]).shape == (1, 8)
    assert np.linalg.norm(half.embed_queries(["harbor"])) == pytest.approx(1.0, abs=1e-5)


def test_a_qwen_style_model_pools_the_last_token_of_its_own_prompt(small_qwen: Path, tmp_path: Path) -> None:
    embedder = embedded(small_qwen, tmp_path)
    assert embedder.prefixes == Prefixes("the query : ", "")
    plain = embedded(small_qwen, tmp_path, query_prefix="")
    texts = ["harbor", "the budget of lisbon train harbor"]
    assert np.array_equal(embedder.embed_queries(texts[:1]), plain.embed_queries(["the query : harbor"]))
    # Padding is on the left: a short text beside a long one has the vector that it has alone.
    together = embedder.embed_passages(texts)
    assert np.allclose(together[0], embedded(small_qwen, tmp_path / "new").embed_passages(texts[:1])[0], atol=1e-6)
    assert not np.allclose(together[0], together[1], atol=1e-2)


@pytest.fixture
def double() -> Iterator[EndpointDouble]:
    with endpoint_double() as running:
        yield running


def at(double: EndpointDouble, home: Path, *, model: str = "e5-base", dimensions: int | None = None, **changes: object):
    settings = EmbeddingSettings.model_validate(
        {"base_url": double.url, "batch_size": 4, "retries": 2, "backoff_seconds": 0.0, **changes}
    )
    found = make_embedder(
        f"endpoint:{model}", home=home, conventions=EmbeddingConventions(dimensions=dimensions), settings=settings
    )
    assert isinstance(found, EndpointEmbedder)
    return found


def test_an_endpoint_is_asked_in_batches_with_prefixes(double: EndpointDouble, tmp_path: Path) -> None:
    double.api_key = "secret"
    embedder = at(double, tmp_path, api_key="secret", extra={"user": "karl"})
    texts = [f"harbor {n}" * (n + 1) for n in range(10)]
    rows = embedder.embed_passages(texts)
    expected = HashEmbedder().embed_passages([f"passage: {text}" for text in texts])
    assert np.allclose(rows, expected, atol=1e-6)  # unit rows, though the server's are three times as long
    assert sorted(len(request["input"]) for request in double.requests) == [2, 4, 4]
    assert {key: value for key, value in double.requests[0].items() if key != "input"} == {
        "model": "e5-base",
        "encoding_format": "float",
        "user": "karl",
    }
    embedder.embed_queries(["lisbon", "lisbon"])
    assert double.texts[10:] == ["query: lisbon"]


def test_an_endpoint_in_trouble_is_asked_again(double: EndpointDouble, tmp_path: Path) -> None:
    double.statuses = [503, 429]
    assert at(double, tmp_path).embed_queries(["harbor"]).shape == (1, 64)
    assert len(double.requests) == 3
    double.statuses = [503] * 3
    with pytest.raises(KarlError, match=r"/v1/embeddings refused with status 503: told to"):
        at(double, tmp_path).embed_queries(["harbor"])
    double.most = 1
    assert at(double, tmp_path).embed_queries(["a", "b", "c"]).shape == (3, 64)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", r"answered without a readable '.*'; is it an embeddings endpoint\?"),
        (b'{"data": []}', r"answered 0 vectors of set\(\) numbers to 1 texts"),
        (json.dumps({"data": [{"index": 1, "embedding": [1.0]}]}).encode(), r"answered 1 vectors of \{1\} numbers"),
        (b'{"data": [{"index": 0, "embedding": [1e400, 1.0]}]}', "gave a vector that is not finite"),
    ],
)
def test_answers_that_are_no_vectors_are_refused(
    double: EndpointDouble, tmp_path: Path, body: bytes, message: str
) -> None:
    double.body = body
    with pytest.raises(KarlError, match=message):
        at(double, tmp_path).embed_passages(["harbor"])


def test_an_endpoint_that_is_wrong_says_what_to_do(double: EndpointDouble, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs a server: set \[embedding\] base_url in karl.toml"):
        make_embedder("endpoint:x", home=tmp_path)
    with pytest.raises(KarlError, match=r"127.0.0.1:1/v1/embeddings does not answer: ConnectError .*; is it running\?"):
        at(double, tmp_path, base_url="http://127.0.0.1:1/v1").embed_queries(["x"])
    double.api_key = "secret"
    with pytest.raises(UsageError, match=r"refused the key with status 401; set \[embedding\] api_key"):
        at(double, tmp_path, api_key="guess").embed_queries(["x"])
    double.api_key, double.statuses = "", [400]
    with pytest.raises(KarlError, match=r"status 400: told to; .*do texts fit it \(\[embedding\] max_tokens\)\?"):
        at(double, tmp_path).embed_queries(["x"])
    embedder = at(double, tmp_path)
    embedder.embed_queries(["x"])
    double.dimensions = 32
    with pytest.raises(KarlError, match=r"answered 32 numbers a text, expected 64; correct \[embedding\] dimensions"):
        embedder.embed_queries(["y"])
    with pytest.raises(KarlError, match="answered 32 numbers a text, expected 16"):
        at(double, tmp_path, dimensions=16).embed_queries(["y"])
    assert double.requests[-1]["dimensions"] == 16


def test_a_killed_ingestion_goes_on_and_corpora_share_vectors(double: EndpointDouble, tmp_path: Path) -> None:
    texts = [f"{'x' * n} harbor" for n in range(600)]
    seen: list[int] = []

    def stop(state: tuple[int, int]) -> None:
        seen.append(state[0])
        if state[0] == 256:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at(double, tmp_path, batch_size=128).embed_passages(texts, progress=stop)
    assert seen == [0, 256]
    rows = at(double, tmp_path, batch_size=128).embed_passages(
        texts[::-1], progress=lambda state: seen.append(state.done)
    )
    assert seen == [0, 256, 256, 512, 600]
    assert len(double.texts) == len(set(double.texts)) == 600
    assert np.allclose(rows[-1], HashEmbedder().embed_passages(["passage:  harbor"])[0], atol=1e-6)
    at(double, tmp_path).embed_passages([texts[5], "new"])  # of another corpus
    assert double.texts[600:] == ["passage: new"]


def test_a_damaged_cache_names_its_file(double: EndpointDouble, tmp_path: Path) -> None:
    embedder = at(double, tmp_path)
    embedder.embed_passages(["a"])
    path = tmp_path / "cache" / "embeddings" / f"{embedder.fingerprint[:16]}.db"
    cache = EmbeddingCache(path)
    assert len(cache.known([b"nothing"])) == 0
    cache._db.execute("UPDATE vector SET data = x'0000803f'")
    cache._db.commit()
    with pytest.raises(KarlError, match="holds vectors of several lengths; delete the file and run again"):
        embedder.embed_passages(["b", "a"])
    cache.close()
    (tmp_path / "bad.db").write_bytes(b"not a database, however long one looks at it" * 100)
    with pytest.raises(KarlError, match=r"bad.db: cannot open the cache of embeddings: .*; delete the file"):
        EmbeddingCache(tmp_path / "bad.db")
