"""The facts of Hermes 0.19.0, which the others are written as differences from. Found in runs of the real program."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from provision.hermes.facts.release import HermesFacts
from provision.hermes.facts.v0_19_env_names import KNOWN_ENV

_BUILT_INS = """alibaba alibaba-coding-plan anthropic arcee azure-foundry bedrock copilot copilot-acp deep-infra deepinfra
deepinfra-ai deepseek fireworks fireworks-ai fw gemini gmi huggingface kilocode kimi-coding kimi-coding-cn
lmstudio minimax minimax-cn minimax-oauth moa nous novita novita-ai novitaai nvidia ollama-cloud openai-api
openai-codex opencode-go opencode-zen openrouter qwen-oauth solar stepfun tencent-tokenhub upstage vertex xai
xai-oauth xiaomi zai"""
_BUILT_IN_PROVIDERS = frozenset(_BUILT_INS.split())
"""Providers that Hermes defines itself (`auth.PROVIDER_REGISTRY`, plus those that the resolver handles by name)."""

_ALIASES = """alibaba-cloud=alibaba alibaba-coding=alibaba-coding-plan alibaba_coding=alibaba-coding-plan
alibaba_coding_plan=alibaba-coding-plan amazon=bedrock amazon-bedrock=bedrock arcee-ai=arcee arceeai=arcee
aws=bedrock aws-bedrock=bedrock azure=azure-foundry azure-ai=azure-foundry azure-ai-foundry=azure-foundry
claude=anthropic claude-code=anthropic claude-oauth=anthropic codex=openai-codex copilot-acp-agent=copilot-acp
dashscope=alibaba dashscope-coding=alibaba-coding-plan deepseek-chat=deepseek gcp-vertex=vertex github=copilot
github-copilot=copilot github-copilot-acp=copilot-acp github-model=copilot github-models=copilot glm=zai
gmi-cloud=gmi gmicloud=gmi go=opencode-go google=gemini google-ai-studio=gemini google-gemini=gemini
google-vertex=vertex grok=xai grok-oauth=xai-oauth hf=huggingface hugging-face=huggingface
huggingface-hub=huggingface kilo=kilocode kilo-code=kilocode kilo-gateway=kilocode kimi=kimi-coding
kimi-cn=kimi-coding-cn kimi-for-coding=kimi-coding llama-cpp=custom llama.cpp=custom llamacpp=custom
lm-studio=lmstudio lm_studio=lmstudio local=custom mimo=xiaomi mini-max=minimax minimax-china=minimax-cn
minimax-global=minimax-oauth minimax-oauth-io=minimax-oauth minimax-portal=minimax-oauth minimax_cn=minimax-cn
minimax_oauth=minimax-oauth moonshot=kimi-coding moonshot-cn=kimi-coding-cn nous-portal=nous nousresearch=nous
nvidia-nim=nvidia ollama=custom ollama_cloud=ollama-cloud openai_codex=openai-codex opencode=opencode-zen
opencode-go-sub=opencode-go opencode_go=opencode-go opencode_zen=opencode-zen or=openrouter qwen=qwen-oauth
qwen-cli=qwen-oauth qwen-dashscope=alibaba qwen-portal=qwen-oauth step=stepfun stepfun-coding-plan=stepfun
tencent=tencent-tokenhub tencent-cloud=tencent-tokenhub tencentmaas=tencent-tokenhub tokenhub=tencent-tokenhub
vertex-ai=vertex vertexai=vertex vllm=custom x-ai=xai x-ai-oauth=xai-oauth x.ai=xai xai-grok-oauth=xai-oauth
xiaomi-mimo=xiaomi z-ai=zai z.ai=zai zen=opencode-zen zhipu=zai deep-infra=deepinfra deepinfra-ai=deepinfra
fireworks-ai=fireworks fw=fireworks novita-ai=novita novitaai=novita solar=upstage"""
_PROVIDER_ALIASES = MappingProxyType(dict(pair.split("=") for pair in _ALIASES.split()))
"""Aliases of built-in providers and of plain `custom`, as `auth.resolve_provider` and the model-provider plugins map them."""

_TASKS = """approval background_review compression curator goal_judge kanban_decomposer mcp memory_query_rewrite moa_aggregator
moa_reference monitor profile_describer skills_hub title_generation triage_specifier tts_audio_tags vision web_extract"""
RUN: Final = "the installed release and runs of it (tests/acceptance)"
FACTS: Final = HermesFacts(
    version="0.19.0",
    verified=True,
    config_version=33,
    built_in_providers=_BUILT_IN_PROVIDERS,
    provider_aliases=_PROVIDER_ALIASES,
    known_env=KNOWN_ENV,
    auxiliary_tasks=tuple(_TASKS.split()),
    secret_sources=("bitwarden", "onepassword"),
    sources=MappingProxyType({"*": RUN}),
)
"""The value of this release. Those of others are written as differences from it."""
