"""What a row of a batch asks: a string or a `PromptRequest` becomes a checked `Call`."""

from collections.abc import Callable

from vimmerse_async.batch.identity import ReadRow, RefusedRequest, key_of
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.models import ModeLike, OptionLike, PromptOption, PromptRequest
from vimmerse_async.urls import shown
from vimmerse_async.wire import Call, image_call, mode_of, option_of, prompt_call, refine_call


def template_of(option: OptionLike, prompt: str | None, mode: ModeLike | None) -> PromptRequest:
    """Return what a batch's strings ask for, but for the string itself.

    Args:
        option: `IMAGE_2_PROMPT` or `REFINE_PROMPT`.
        prompt: A text to start from; the strings are image URLs then.
        mode: What the prompts are for.

    Raises:
        InvalidRequestError: An argument cannot be sent with any row.
    """
    chosen = option_of(option)
    if chosen not in {PromptOption.IMAGE_2_PROMPT, PromptOption.REFINE_PROMPT}:
        raise InvalidRequestError(
            f"option must be Image2Prompt or RefinePrompt for a batch of strings, not {option!r}; "
            "wrap other questions in PromptRequest(…)",
            field="option",
        )
    if prompt is not None:
        prompt_call(PromptRequest(PromptOption.REFINE_PROMPT, prompt))
    return PromptRequest(chosen, prompt, mode=mode_of(mode))


def row_reader(template: PromptRequest) -> Callable[[object], Call]:
    """Return the function that turns a batch's items into calls.

    Args:
        template: What strings ask for.
    """
    read_text = _text_reader(template)

    def read(item: object) -> Call:
        if type(item) is str:
            return read_text(item)
        if type(item) is ReadRow:
            return item.call
        if isinstance(item, RefusedRequest):
            raise InvalidRequestError(item.reason)
        if isinstance(item, PromptRequest):
            key_of(item)
            return prompt_call(item)
        if isinstance(item, str):
            return read_text(str(item))
        raise InvalidRequestError(
            f"a row must be a str or a PromptRequest, not {type(item).__name__}", field="inputs"
        )

    return read


def _text_reader(template: PromptRequest) -> Callable[[str], Call]:
    plain = template.mode is None and template.prompt is None
    refine = template.option is PromptOption.REFINE_PROMPT and template.prompt is None
    if plain and not refine:
        return image_call

    def read_prompt(text: str) -> Call:
        if text[:8].lower() == "https://":
            raise InvalidRequestError(
                f"a URL is not a prompt to refine: {shown(text)}; to describe the picture use "
                "option=PromptOption.IMAGE_2_PROMPT, to refine a text for it pass prompt=…",
                field="prompt",
            )
        if plain:
            return refine_call(text)
        return prompt_call(PromptRequest(template.option, text, mode=template.mode))

    def read_url(url: str) -> Call:
        return prompt_call(PromptRequest(template.option, template.prompt, url, mode=template.mode))

    return read_prompt if refine else read_url
