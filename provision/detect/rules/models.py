"""Keys for model gateways and providers, and for the tools that agents call beside them."""

from __future__ import annotations

from provision.detect.match import Confidence, FindingSeverity
from provision.detect.rule import Example, Rule
from provision.detect.rules.pieces import ALNUM, HEX, LEFT, LOWER, URLSAFE, example, filler, shortest_match, token_rule


def _key(
    name: str,
    description: str,
    word: str,
    body: str,
    *examples: Example,
    severity: FindingSeverity = FindingSeverity.CRITICAL,
    confidence: Confidence = Confidence.HIGH,
    counter_examples: tuple[Example, ...] = (),
) -> Rule:
    """A rule for a key that begins with `word`; `body` is the expression for the whole key."""
    return Rule(
        id=name,
        description=description,
        severity=severity,
        confidence=confidence,
        keywords=(word.lower(),),
        pattern=f"{LEFT}(?P<secret>{body})",
        gate=shortest_match(body),
        examples=examples,
        counter_examples=(*counter_examples, f"{word}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    )


def _legacy_openai() -> str:
    return "sk-" + filler("oa1", ALNUM, 20) + "T3Blbk" + "FJ" + filler("oa2", ALNUM, 20)


def _prefixed_uuid(prefix: str) -> str:
    """A Langfuse key: a prefix and a UUID."""
    h = filler(prefix, HEX, 32)
    return f"{prefix}{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


AISA = Rule(
    id="aisa-key",
    description="AIsa API key",
    severity=FindingSeverity.CRITICAL,
    confidence=Confidence.HIGH,
    keywords=("sk-aisa-",),
    # 43 characters today; no boundary on either side, so that it is found inside other text too
    pattern=r"(?P<secret>sk-aisa-[A-Za-z0-9_-]{16,160})",
    gate="sk-aisa-[A-Za-z0-9_-]{16}",
    examples=(
        example("AISA_API_KEY=sk-aisa-", URLSAFE, 43),
        example("Authorization: Bearer sk-aisa--", URLSAFE, 41, "_\r\n"),
        example("glued|textsk-aisa-", URLSAFE, 43),
        example('{"log": "key\\nsk-aisa-', URLSAFE, 43, '"}'),
    ),
    counter_examples=(
        "sk-aisa-...",
        "sk-aisa-xxxxx",
        "sk-aisa-your-key-here",
        "AISA_API_KEY=sk-aisa-CHANGE-ME-PLEASE-NOW",
        "sk-aisa-ab12****************************9xYz",
        "sk-aisa-" + "x" * 43,
    ),
)

GENERIC_SK = Rule(
    id="sk-key",
    description="API key of the form sk-…",
    severity=FindingSeverity.HIGH,
    confidence=Confidence.MEDIUM,
    keywords=("sk-",),
    pattern=LEFT + r"(?P<secret>sk-[A-Za-z0-9_-]{16,200})",
    gate="sk-[A-Za-z0-9_-]{16}",
    entropy=3.0,
    examples=(
        example("key: sk-", ALNUM, 24),
        example("?key=sk-", URLSAFE, 40, "&x=1"),
        example("x sk-my-org-", ALNUM, 30),
    ),
    counter_examples=(
        "sk-your-key",
        "class='sk-circle-fade-dot-before'",
        example("task-", ALNUM, 24),
        "sk-1234567890abcdef1234567890abcdef",
        "sk-...wxyz",
    ),
)

RULES: tuple[Rule, ...] = (
    AISA,
    _key(
        "openai-key",
        "OpenAI API key",
        "sk-",
        r"sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,220}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
        example("OPENAI_API_KEY=sk-proj-", URLSAFE, 156),
        example("sk-svcacct-", URLSAFE, 60),
        _legacy_openai,
        counter_examples=("sk-proj-your-openai-project-key-goes-here",),
    ),
    _key(
        "anthropic-key",
        "Anthropic API key or token",
        "sk-ant-",
        r"sk-ant-[a-z]{2,8}\d\d-[A-Za-z0-9_-]{20,180}",
        example("x-api-key: sk-ant-api03-", URLSAFE, 93, "AA"),  # provision:allow an example
        example("sk-ant-oat01-", URLSAFE, 95),
        counter_examples=("sk-ant-api03-your-anthropic-key-here",),
    ),
    _key(
        "openrouter-key",
        "OpenRouter API key",
        "sk-or-",
        r"sk-or-(?:v1-)?[0-9A-Za-z]{32,80}",
        example("sk-or-v1-", HEX, 64),
        counter_examples=("sk-or-v1-" + "0" * 64,),
    ),
    _key(
        "langfuse-key",
        "Langfuse secret key",
        "sk-lf-",
        r"sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        lambda: _prefixed_uuid("sk-lf-"),
        severity=FindingSeverity.HIGH,
    ),
    _key(
        "google-key",
        "Google API key",
        "aiza",
        r"AIza[A-Za-z0-9_-]{35}",
        example("x-goog-api-key: AIza", URLSAFE, 35),
        example("?key=AIza", URLSAFE, 35, "&alt=sse"),
    ),
    _key(
        "google-oauth",
        "Google OAuth secret or token",
        "gocspx-",
        r"GOCSPX-[A-Za-z0-9_-]{28}",
        example("GOCSPX-", URLSAFE, 28),
        severity=FindingSeverity.HIGH,
    ),
    _key(
        "google-access-token",
        "Google access token (valid for an hour)",
        "ya29.",
        r"ya29\.[A-Za-z0-9_-]{40,400}",
        example("ya29.", URLSAFE, 160),
        severity=FindingSeverity.MEDIUM,
    ),
    _key("xai-key", "xAI API key", "xai-", r"xai-[A-Za-z0-9_-]{40,120}", example("XAI_API_KEY=xai-", ALNUM, 80)),
    Rule(
        id="deepseek-key",
        description="DeepSeek (or Qwen) API key",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=("sk-",),
        pattern=LEFT + r"(?P<secret>sk-[0-9a-f]{32})\b",
        gate="sk-[0-9a-f]{32}",
        examples=(example("DEEPSEEK_API_KEY=sk-", HEX, 32),),
        counter_examples=("sk-00000000000000000000000000000000",),
    ),
    Rule(
        id="moonshot-key",
        description="Moonshot (Kimi) API key",
        severity=FindingSeverity.CRITICAL,
        confidence=Confidence.HIGH,
        keywords=("sk-",),
        pattern=LEFT + r"(?P<secret>sk-(?:kimi-)?[A-Za-z0-9]{48})\b",
        gate="sk-(?:kimi-)?[A-Za-z0-9]{48}",
        entropy=3.5,
        examples=(example("MOONSHOT_API_KEY=sk-", ALNUM, 48),),
        counter_examples=("sk-" + "abc123" * 8,),
    ),
    _key("groq-key", "Groq API key", "gsk_", r"gsk_[A-Za-z0-9]{40,60}", example("gsk_", ALNUM, 52)),
    _key("perplexity-key", "Perplexity API key", "pplx-", r"pplx-[A-Za-z0-9]{40,60}", example("pplx-", ALNUM, 48)),
    _key("nvidia-key", "NVIDIA API key", "nvapi-", r"nvapi-[A-Za-z0-9_-]{50,80}", example("nvapi-", URLSAFE, 64)),
    _key("cerebras-key", "Cerebras API key", "csk-", r"csk-[a-z0-9]{40,60}", example("csk-", LOWER, 48)),
    _key("fireworks-key", "Fireworks API key", "fw_", r"fw_[A-Za-z0-9]{22,26}", example("fw_", ALNUM, 24)),
    _key("replicate-key", "Replicate API token", "r8_", r"r8_[A-Za-z0-9]{37,40}", example("r8_", ALNUM, 37)),
    token_rule(
        "huggingface-token",
        "Hugging Face token",
        "hf_ api_org_",
        r"(?:api_org|hf)_[A-Za-z0-9]{32,40}",
        example("HF_TOKEN=hf_", ALNUM, 34),
        example("api_org_", ALNUM, 34),
    ),
    _key("elevenlabs-key", "ElevenLabs API key", "sk_", r"sk_[0-9a-f]{48}", example("sk_", HEX, 48)),
    _key(
        "tavily-key",
        "Tavily API key",
        "tvly-",
        r"tvly-(?:dev-|prod-)?[A-Za-z0-9_-]{30,64}",
        example("tvly-", ALNUM, 32),
        severity=FindingSeverity.HIGH,
    ),
    _key(
        "firecrawl-key",
        "Firecrawl API key",
        "fc-",
        r"fc-[0-9a-f]{32}\b",
        example("fc-", HEX, 32),
        severity=FindingSeverity.HIGH,
    ),
    _key(
        "langsmith-key",
        "LangSmith API key",
        "lsv2_",
        r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
        lambda: "lsv2_" + "pt_" + filler("ls", HEX, 32) + "_" + filler("ls2", HEX, 10),
        severity=FindingSeverity.HIGH,
    ),
    _key("jina-key", "Jina API key", "jina_", r"jina_[A-Za-z0-9_-]{50,70}", example("jina_", URLSAFE, 60)),
    _key(
        "e2b-key", "E2B API key", "e2b_", r"e2b_[0-9a-f]{40}", example("e2b_", HEX, 40), severity=FindingSeverity.HIGH
    ),
    GENERIC_SK,
)
