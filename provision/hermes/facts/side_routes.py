"""Where Hermes 0.19.0 sends requests beside the main route: auxiliary tasks, built-in providers, speech, and their variables.

From `agent/auxiliary_client.py`, `hermes_cli/auth.py` (PROVIDER_REGISTRY), `tools/tts_tool.py`, `tools/transcription_tools.py`;
seen in runs of `tests/acceptance/test_side_routes.py`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, NamedTuple

_TASKS = """approval call compression curator background_review goal_judge kanban_decomposer mcp memory_query_rewrite monitor
profile_describer review session_search skills_hub title_generation triage_specifier tts_audio_tags vision web_extract
moa_reference moa_aggregator"""
AUXILIARY_TASKS: Final = tuple(sorted(_TASKS.split()))
"""Tasks that ask a model beside the conversation (`auxiliary.TASK`). Earlier releases have `session_search`, later `review`."""
AGENT_TASKS: Final = frozenset({"background_review", "curator"})
"""Auxiliary tasks that run as an agent: their provider counts only with a model, and they have no further providers to try."""
PINNED_ELSEWHERE: Final = frozenset({"moa_aggregator", "moa_reference"})
"""Auxiliary tasks whose provider comes from a preset under `moa`."""
CAPACITY: Final = "on 402, 429 or a failed connection"
REFUSAL: Final = "on 402, 429, 401 or a failed connection"
"""When an auxiliary task goes on to another provider: an explicit provider is left in the first case, `auto` also on 401."""
DIRECT_ALIASES: Final = MappingProxyType({"openai": "https://api.openai.com/v1"})
"""Names in `auxiliary.TASK.provider` that stand for plain custom with a URL (`_AUX_DIRECT_API_BASE_URLS`)."""
_ALIASES = """google=gemini google-gemini=gemini google-ai-studio=gemini x-ai=xai x.ai=xai grok=xai glm=zai z-ai=zai z.ai=zai
zhipu=zai kimi=kimi-coding moonshot=kimi-coding kimi-cn=kimi-coding-cn moonshot-cn=kimi-coding-cn gmi-cloud=gmi gmicloud=gmi
minimax-china=minimax-cn minimax_cn=minimax-cn claude=anthropic claude-code=anthropic github=copilot github-copilot=copilot
github-model=copilot github-models=copilot github-copilot-acp=copilot-acp copilot-acp-agent=copilot-acp tencent=tencent-tokenhub
tokenhub=tencent-tokenhub tencent-cloud=tencent-tokenhub tencentmaas=tencent-tokenhub codex=openai-codex"""
TASK_ALIASES: Final = MappingProxyType(dict(pair.split("=") for pair in _ALIASES.split()))
"""Other names of providers in auxiliary tasks and fallbacks (`_PROVIDER_ALIASES`): fewer than those of the main route."""
FIXED_ENDPOINTS: Final = frozenset({"anthropic"})
"""Built-in providers for which a task's or a fallback's `base_url` is ignored (`_try_anthropic`)."""
KEY_ALSO_TO: Final = MappingProxyType({"copilot": "https://api.github.com", "zai": "https://open.bigmodel.cn"})
"""Where a built-in provider's key goes before the request: Copilot exchanges its token, Z.AI tries its other endpoint."""
KIMI_CODE: Final = ("sk-kimi-", "https://api.kimi.com/coding/v1")
"""How the keys begin with which `kimi-coding` and `kimi-coding-cn` use another URL (`_resolve_kimi_base_url`)."""
CRON_PROVIDER: Final = "model_provider"
"""`cron.model_provider`: the provider of all scheduled jobs that name none, where a release reads it."""
PORTAL_URL: Final = "https://portal.nousresearch.com"
"""Where a scheduler outside of the machine is reached (`cron.chronos.portal_url`)."""
OLD_CURATOR: Final = ("curator", "auxiliary")
"""Where older configurations have the choice of the task `curator`: it counts without a provider and model in the new place."""
DISABLED: Final = frozenset({"false", "no", "off"})
"""Values of `enabled` that switch an MCP server off (`mcp_tool._parse_boolish`)."""
NATIVE_DELEGATION: Final = frozenset({"bedrock", "vertex", "google", "google-genai"})
"""Providers for which delegation ignores `delegation.base_url`."""


class BuiltInEndpoint(NamedTuple):
    """A built-in provider: its URL, the variables with its key, the one that moves its URL, and whether `auto` may choose it."""

    url: str
    key_env: tuple[str, ...] = ()
    url_env: str = ""
    discovered: bool = False


_REGISTRY = """
openai-api https://api.openai.com/v1 OPENAI_API_KEY OPENAI_BASE_URL -
lmstudio http://127.0.0.1:1234/v1 LM_API_KEY LM_BASE_URL -
copilot https://api.githubcopilot.com COPILOT_GITHUB_TOKEN,GH_TOKEN,GITHUB_TOKEN COPILOT_API_BASE_URL -
gemini https://generativelanguage.googleapis.com/v1beta GOOGLE_API_KEY,GEMINI_API_KEY GEMINI_BASE_URL auto
zai https://api.z.ai/api/paas/v4 GLM_API_KEY,ZAI_API_KEY,Z_AI_API_KEY GLM_BASE_URL auto
kimi-coding https://api.moonshot.ai/v1 KIMI_API_KEY,KIMI_CODING_API_KEY KIMI_BASE_URL auto
kimi-coding-cn https://api.moonshot.cn/v1 KIMI_CN_API_KEY - auto
stepfun https://api.stepfun.ai/step_plan/v1 STEPFUN_API_KEY STEPFUN_BASE_URL auto
arcee https://api.arcee.ai/api/v1 ARCEEAI_API_KEY ARCEE_BASE_URL -
gmi https://api.gmi-serving.com/v1 GMI_API_KEY GMI_BASE_URL auto
minimax https://api.minimax.io/anthropic MINIMAX_API_KEY MINIMAX_BASE_URL auto
anthropic https://api.anthropic.com ANTHROPIC_API_KEY,ANTHROPIC_TOKEN,CLAUDE_CODE_OAUTH_TOKEN ANTHROPIC_BASE_URL auto
alibaba https://dashscope-intl.aliyuncs.com/compatible-mode/v1 DASHSCOPE_API_KEY DASHSCOPE_BASE_URL -
alibaba-coding-plan https://coding-intl.dashscope.aliyuncs.com/v1 ALIBABA_CODING_PLAN_API_KEY ALIBABA_CODING_PLAN_BASE_URL -
minimax-cn https://api.minimaxi.com/anthropic MINIMAX_CN_API_KEY MINIMAX_CN_BASE_URL auto
deepseek https://api.deepseek.com/v1 DEEPSEEK_API_KEY DEEPSEEK_BASE_URL auto
xai https://api.x.ai/v1 XAI_API_KEY XAI_BASE_URL -
nvidia https://integrate.api.nvidia.com/v1 NVIDIA_API_KEY NVIDIA_BASE_URL -
opencode-zen https://opencode.ai/zen/v1 OPENCODE_ZEN_API_KEY OPENCODE_ZEN_BASE_URL auto
opencode-go https://opencode.ai/zen/go/v1 OPENCODE_GO_API_KEY OPENCODE_GO_BASE_URL auto
kilocode https://api.kilo.ai/api/gateway KILOCODE_API_KEY KILOCODE_BASE_URL auto
huggingface https://router.huggingface.co/v1 HF_TOKEN HF_BASE_URL -
xiaomi https://api.xiaomimimo.com/v1 XIAOMI_API_KEY XIAOMI_BASE_URL -
tencent-tokenhub https://tokenhub.tencentmaas.com/v1 TOKENHUB_API_KEY TOKENHUB_BASE_URL auto
ollama-cloud https://ollama.com/v1 OLLAMA_API_KEY OLLAMA_BASE_URL auto
azure-foundry - AZURE_FOUNDRY_API_KEY AZURE_FOUNDRY_BASE_URL -
deepinfra https://api.deepinfra.com/v1/openai DEEPINFRA_API_KEY DEEPINFRA_BASE_URL auto
fireworks https://api.fireworks.ai/inference/v1 FIREWORKS_API_KEY - auto
novita https://api.novita.ai/openai/v1 NOVITA_API_KEY NOVITA_BASE_URL auto
upstage https://api.upstage.ai/v1 UPSTAGE_API_KEY UPSTAGE_BASE_URL -
"""


def _built_in(line: str) -> tuple[str, BuiltInEndpoint]:
    name, url, keys, url_env, auto = line.split()
    return name, BuiltInEndpoint(url.strip("-"), tuple(keys.split(",")), url_env.strip("-"), auto == "auto")


ENDPOINTS: Final = MappingProxyType(dict(map(_built_in, _REGISTRY.strip().splitlines())))
"""Built-in providers with a key in a variable, in the order in which `auto` tries them (`_resolve_api_key_provider`)."""
IMPLICIT_KEY_ENV: Final = frozenset({"CLAUDE_CODE_OAUTH_TOKEN"})
"""Variables that other programs set: `auto` does not choose a provider because of them."""
LOGIN_ENDPOINTS: Final = MappingProxyType(
    {
        "nous": "https://inference-api.nousresearch.com/v1",
        "openai-codex": "https://chatgpt.com/backend-api/codex",
        "xai-oauth": "https://api.x.ai/v1",
        "qwen-oauth": "https://portal.qwen.ai/v1",
        "minimax-oauth": "https://api.minimax.io/anthropic",
        "copilot-acp": "",
        "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
        "vertex": "https://aiplatform.googleapis.com",
        "moa": "",
    }
)
"""Built-in providers with a login instead of a key: whether they answer is not known from the files."""
VOICE_KEY_ENV: Final = "VOICE_TOOLS_OPENAI_KEY"
"""Before OPENAI_API_KEY, for speech by OpenAI (`tool_backend_helpers.resolve_openai_audio_api_key`)."""


class SpeechEndpoint(NamedTuple):
    """A provider of speech: its URL, the variables with its key, and whether `base_url` and `api_key` of its section count."""

    url: str
    key_env: tuple[str, ...]
    own_url: bool = True
    own_key: bool = False


SPEAKING: Final = MappingProxyType(
    {
        "edge": SpeechEndpoint("https://speech.platform.bing.com", (), own_url=False),
        "openai": SpeechEndpoint("https://api.openai.com/v1", (VOICE_KEY_ENV, "OPENAI_API_KEY")),
        "elevenlabs": SpeechEndpoint("https://api.elevenlabs.io", ("ELEVENLABS_API_KEY",), own_url=False),
        "minimax": SpeechEndpoint("https://api.minimax.io/v1", ("MINIMAX_API_KEY",)),
        "mistral": SpeechEndpoint("https://api.mistral.ai", ("MISTRAL_API_KEY",), own_url=False),
        "gemini": SpeechEndpoint(
            "https://generativelanguage.googleapis.com/v1beta", ("GEMINI_API_KEY", "GOOGLE_API_KEY")
        ),
        "xai": SpeechEndpoint("https://api.x.ai/v1", ("XAI_API_KEY",)),
        "deepinfra": SpeechEndpoint("https://api.deepinfra.com/v1/openai", ("DEEPINFRA_API_KEY",)),
    }
)
"""`tts.provider` and its section. Without `tts.provider` Hermes uses Edge, if the user has its package."""
HEARING: Final = MappingProxyType(
    {
        "openai": SpeechEndpoint(
            "https://api.openai.com/v1", (VOICE_KEY_ENV, "OPENAI_API_KEY"), own_url=False, own_key=True
        ),
        "groq": SpeechEndpoint("https://api.groq.com/openai/v1", ("GROQ_API_KEY",), own_url=False),
        "mistral": SpeechEndpoint("https://api.mistral.ai", ("MISTRAL_API_KEY",), own_url=False),
        "xai": SpeechEndpoint("https://api.x.ai/v1", ("XAI_API_KEY",)),
        "elevenlabs": SpeechEndpoint("https://api.elevenlabs.io", ("ELEVENLABS_API_KEY",)),
        "deepinfra": SpeechEndpoint("https://api.deepinfra.com/v1/openai", ("DEEPINFRA_API_KEY",)),
    }
)
"""`stt.provider` and its section. OpenAI's `base_url` counts only beside an `api_key` (`_resolve_openai_audio_client_config`)."""
GPT_LIVE_MODES: Final = frozenset({"gpt-live", "gptlive", "live"})
GROK_LIVE_MODES: Final = frozenset({"grok-live", "groklive"})
"""`voice.voice_chat_mode` of newer releases (`HermesFacts.live_voice`), with hyphens."""
GPT_LIVE_URL: Final = "https://api.openai.com/v1"
STT_OPENAI_URL_ENV: Final = "STT_OPENAI_BASE_URL"
GROQ_URL_ENV: Final = "GROQ_BASE_URL"
LOCAL_SPEECH: Final = frozenset({"local", "local_command", "neutts", "piper", "kittentts"})
"""Speech on this machine."""
GATEWAY_PROXY_ENV: Final = "GATEWAY_PROXY_URL"
GATEWAY_PROXY_KEY_ENV: Final = "GATEWAY_PROXY_KEY"
LANGFUSE_ENV: Final = ("HERMES_LANGFUSE_PUBLIC_KEY", "LANGFUSE_PUBLIC_KEY")
LANGFUSE_URL_ENV: Final = ("HERMES_LANGFUSE_BASE_URL", "LANGFUSE_BASE_URL")
LANGFUSE_URL: Final = "https://cloud.langfuse.com"
"""The plug-in `observability/langfuse` sends every conversation there."""
MOA_REFERENCES: Final = (("openai-codex", "gpt-5.5"), ("openrouter", "deepseek/deepseek-v4-pro"))
MOA_AGGREGATOR: Final = ("openrouter", "anthropic/claude-opus-4.8")
"""The preset that `/moa` uses when `moa` sets none (`hermes_cli/moa_config.py`)."""
_MODELLED = """model providers custom_providers fallback_providers fallback_model auxiliary delegation model_aliases moa
mcp_servers hooks quick_commands terminal tts stt curator"""
MODELLED_SECTIONS: Final = frozenset(_MODELLED.split())
"""Sections of config.yaml whose keys each have a rule of their own."""
ROUTES_OF_PLATFORMS: Final = frozenset({"channel_overrides", "model_routes"})
"""Settings of a messaging platform that choose a provider: the first reads no key, the second has a rule of its own."""
SERVING_PLATFORMS: Final = frozenset({"api_server", "webhook", "msgraph_webhook"})
"""Platforms that are asked instead of asking: their keys are what a client has to know."""
PLATFORM_URLS: Final = MappingProxyType(
    {
        "discord": ("", "", "https://discord.com"),
        "homeassistant": ("url", "HASS_URL", "http://homeassistant.local:8123"),
        "line": ("", "", "https://api.line.me"),
        "matrix": ("homeserver", "MATRIX_HOMESERVER", ""),
        "mattermost": ("url", "MATTERMOST_URL", ""),
        "ntfy": ("", "NTFY_SERVER_URL", "https://ntfy.sh"),
        "slack": ("", "", "https://slack.com"),
        "sms": ("", "", "https://api.twilio.com"),
        "telegram": ("base_url", "", "https://api.telegram.org"),
        "whatsapp_cloud": ("", "", "https://graph.facebook.com"),
    }
)
"""Where a messaging platform gets its token: the setting in `extra` and the variable that name the URL, and the usual one."""
_SENT = """AWS_BEARER_TOKEN_BEDROCK AZURE_ANTHROPIC_KEY AZURE_CLIENT_SECRET BLUEBUBBLES_PASSWORD DAYTONA_API_KEY
EMAIL_PASSWORD GATEWAY_RELAY_DELIVERY_KEY GATEWAY_RELAY_ENROLL_TOKEN GATEWAY_RELAY_IDP_CLIENT_SECRET
GATEWAY_RELAY_SECRET HERMES_MEET_REALTIME_KEY HUGGINGFACE_HUB_TOKEN HUGGINGFACE_TOKEN HUGGING_FACE_HUB_TOKEN
IRC_NICKSERV_PASSWORD IRC_SERVER_PASSWORD MATRIX_PASSWORD MODAL_TOKEN_SECRET MSGRAPH_CLIENT_SECRET NOUS_API_KEY
QWEN_API_KEY RAFT_CHANNEL_TOKEN TEAMS_GRAPH_ACCESS_TOKEN TELEGRAM_WEBHOOK_SECRET WHATSAPP_CLOUD_ACCESS_TOKEN
WHATSAPP_CLOUD_APP_SECRET YUANBAO_APP_SECRET"""
SENT_ENV: Final = frozenset(_SENT.split())
"""Variables with a credential that 0.19.0 sends to a service, and that are not among those which the repair of `.env` knows.

From `gateway/config.py` (`_apply_env_overrides`), `gateway/relay/`, `plugins/platforms/`, `agent/trace_upload.py` and others.
"""
CREDENTIAL_ENV: Final = frozenset(
    {
        *(name for endpoint in ENDPOINTS.values() for name in endpoint.key_env),
        *(name for speech in (*SPEAKING.values(), *HEARING.values()) for name in speech.key_env),
        "OPENROUTER_API_KEY",
        GATEWAY_PROXY_KEY_ENV,
    }
)
"""Variables whose value Hermes sends to a provider of its own, without a line in config.yaml that says so."""
