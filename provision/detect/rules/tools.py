"""Tokens for developer and operator tools: code hosts, package registries, secret stores, issue trackers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from provision.detect.match import FindingSeverity
from provision.detect.rules.pieces import ALNUM, HEX, URLSAFE, example, filler, joined_fillers, token_rule

if TYPE_CHECKING:
    from provision.detect.rule import Rule

RULES: tuple[Rule, ...] = (
    token_rule(
        "github-token",
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})",
        example("GITHUB_TOKEN=ghp_", ALNUM, 36),
        example("https://x-access-token:ghs_", ALNUM, 36, "@github.com/o/r"),
        partial(joined_fillers, ("github_pat_", ALNUM, 22), ("_", ALNUM, 59)),
        severity=FindingSeverity.CRITICAL,
    ),
    token_rule(
        "gitlab-token",
        "GitLab token",
        "glpat- glptt- gldt- glrt- glcbt- glft- glsoat- glimt- glagent- gloas-",
        r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas)-[A-Za-z0-9_.-]{20,120}",
        example("PRIVATE-TOKEN: glpat-", URLSAFE, 20),
        severity=FindingSeverity.CRITICAL,
    ),
    token_rule(
        "atlassian-token",
        "Atlassian or Bitbucket token",
        "atatt3 atctt3 atbb",
        r"(?:AT[AC]TT3[A-Za-z0-9_=-]{60,220}|ATBB[A-Za-z0-9]{32})",
        example("ATATT3", URLSAFE, 180),
    ),
    token_rule(
        "npm-token",
        "npm access token",
        "npm_",
        r"npm_[A-Za-z0-9]{36}\b",
        example("//registry.npmjs.org/:_authToken=npm_", ALNUM, 36),
    ),
    token_rule(
        "pypi-token",
        "PyPI upload token",
        "pypi-",
        r"pypi-[A-Za-z0-9_-]{50,300}",
        example("password = pypi-AgEIcHlwaS5vcmc", URLSAFE, 150),  # provision:allow an example
        severity=FindingSeverity.CRITICAL,
    ),
    token_rule(
        "rubygems-key", "RubyGems API key", "rubygems_", r"rubygems_[0-9a-f]{48}", example("rubygems_", HEX, 48)
    ),
    token_rule(
        "vault-token",
        "HashiCorp Vault token",
        "hvs. hvb. hvr.",
        r"hv[sbr]\.[A-Za-z0-9_-]{24,200}",
        example("VAULT_TOKEN=hvs.", URLSAFE, 94),
        severity=FindingSeverity.CRITICAL,
    ),
    token_rule(
        "terraform-token",
        "Terraform Cloud token",
        ".atlasv1.",
        r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}",
        lambda: joined_fillers(("", ALNUM, 14), (".atlasv1.", ALNUM, 67)),
    ),
    token_rule(
        "docker-token",
        "Docker Hub token",
        "dckr_",
        r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,40}",
        example("dckr_pat_", URLSAFE, 27),
    ),
    token_rule(
        "sentry-token",
        "Sentry token",
        "sntrys_ sntryu_",
        r"sntry(?:s_[A-Za-z0-9+/=_-]{60,400}|u_[0-9a-f]{64})",
        example("sntryu_", HEX, 64),
    ),
    token_rule("linear-key", "Linear API key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}", example("lin_api_", ALNUM, 40)),
    token_rule(
        "doppler-token",
        "Doppler token",
        "dp.pt. dp.st. dp.sa. dp.ct.",
        r"dp\.(?:pt|st|sa|ct|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
        example("dp.pt.", ALNUM, 43),
    ),
    token_rule(
        "postman-key",
        "Postman API key",
        "pmak-",
        r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
        partial(joined_fillers, ("PMAK-", HEX, 24), ("-", HEX, 34)),
    ),
    token_rule("figma-token", "Figma token", "figd_", r"figd_[A-Za-z0-9_-]{38,44}", example("figd_", URLSAFE, 40)),
    token_rule("pulumi-token", "Pulumi token", "pul-", r"pul-[0-9a-f]{40}", example("pul-", HEX, 40)),
    token_rule(
        "onepassword-token",
        "1Password service account token",
        "ops_eyj",
        r"ops_eyJ[A-Za-z0-9+/_=-]{200,1000}",
        example("ops_eyJ", URLSAFE, 400),
        reach=1100,
        severity=FindingSeverity.CRITICAL,
    ),
    token_rule(
        "bitwarden-token",
        "Bitwarden Secrets Manager token",
        "bws bitwarden",
        r"0\.[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.[A-Za-z0-9]{28,34}:[A-Za-z0-9+/]{20,24}={0,2}",
        lambda: (
            "BWS_ACCESS_TOKEN=0."
            + "-".join(filler(f"bw{n}", HEX, n) for n in (8, 4, 4, 4, 12))
            + joined_fillers((".", ALNUM, 30), (":", ALNUM, 22))
            + "=="
        ),
        severity=FindingSeverity.CRITICAL,
    ),
)
