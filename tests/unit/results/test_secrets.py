"""Passwords and tokens in URLs are masked, and nothing else is."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results.errors import Crashed, InvalidConfig, first_line
from terrasweep.results.secrets import masked, masked_values

SECRET = "geheim7"  # noqa: S105 - what the tests look for


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"postgresql://me:{SECRET}@host:5432/db", "postgresql://me:***@host:5432/db"),
        (f"http://:{SECRET}@host/", "http://:***@host/"),
        (f"mysql://me:{SECRET}@{SECRET}@host/db", "mysql://me:***@host/db"),
        (f"mysql://me:{SECRET}/{SECRET}@host/db", "mysql://me:***@host/db"),
        (f"postgresql://host/db?user=me&password={SECRET}", "postgresql://host/db?user=me&password=***"),
        (f"postgresql://host/db?password={SECRET}&user=me", "postgresql://host/db?password=***&user=me"),
        (f"postgresql://host/db?sslmode=on&sslpassword={SECRET}", "postgresql://host/db?sslmode=on&sslpassword=***"),
        (f"https://host/?%70assword={SECRET}", "https://host/?%70assword=***"),
        (f"https://host/x.ckpt?X-Amz-Signature={SECRET}", "https://host/x.ckpt?X-Amz-Signature=***"),
        (f"https://host/x.ckpt?sv=1&sig={SECRET}", "https://host/x.ckpt?sv=1&sig=***"),
        (f"https://host/x.ckpt?access_token={SECRET}#part", "https://host/x.ckpt?access_token=***"),
        (f"https://h/?to=http%3A%2F%2Fme%3A{SECRET}%40host%2F", "https://h/?to=http%3A%2F%2Fme:***%40host%2F"),
        (f"tracking.uri='http://h?token={SECRET}'; start it", "tracking.uri='http://h?token=***'; start it"),
    ],
)
def test_a_secret_is_masked_and_the_rest_of_its_url_is_not(text, told):
    assert masked(text) == told
    assert masked(told) == told


@pytest.mark.parametrize(
    "text",
    [
        *("sqlite:///mlflow.db", "sqlite:////w/a:b/x.db", "http://127.0.0.1:5000", "postgresql://me@host/db"),
        *("study.n_trials=3", "https://host/?page=2&sslkey=/home/me/key.pem", "a ? b=c", "tuning.rank: choice(2,4)"),
        "tokens?=3: there is no such key",
    ],
)
def test_what_is_no_secret_stays(text):
    assert masked(text) == text


@given(st.text(st.characters(codec="utf-8"), min_size=1).map(lambda text: f"{SECRET}{text}"))
def test_any_percent_encoded_password_is_masked(password):
    for url in ("postgresql://me:{}@host/db", "http://host/db?password={}", "http://host/db?a=b&token={}&c=d"):
        assert SECRET not in masked(f"the server at {url.format(quote(password, safe=''))} is gone")


@given(st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1).map(lambda text: SECRET + text))
def test_a_password_with_any_sign_is_masked_before_the_host(password):
    assert SECRET not in masked(f"postgresql://me:{password}@host/db")


def test_configurations_and_records_are_masked_to_the_last_list():
    url = f"http://me:{SECRET}@host"
    values = {"tracking": {"uri": url}, "overrides": [f"tracking.uri={url}", 3, None], "pair": (url, 1.5)}
    told = masked_values(values)
    assert SECRET not in str(told)
    assert told["overrides"][1:] == [3, None]
    assert told["pair"] == ("http://me:***@host", 1.5)


def test_errors_mask_what_they_say():
    assert SECRET not in str(InvalidConfig(f"study.storage=mysql://me:{SECRET}@host: refused"))
    assert SECRET not in str(Crashed(f"OSError: http://host?token={SECRET}"))
    assert SECRET not in first_line(ValueError(f"http://host?token={SECRET}"))
