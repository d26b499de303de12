"""What a call costs by the published prices; unknown where there is none, never nothing."""

from decimal import Decimal

from outpace.agent.proposal import ModelUsage


def price(usage: ModelUsage, *, model: str, url: str) -> float | None:
    """Return what ``usage`` of ``model`` costs in dollars at the provider behind ``url``, or None.

    By the list that comes with the package genai-prices, as of its version; nothing is fetched. The address decides who
    the provider is: a server of one's own has no price, whatever its model is called.
    """
    from genai_prices import Usage, calc_price

    counted = Usage(
        input_tokens=usage.input_tokens + usage.cached_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens + usage.reasoning_tokens,
    )
    try:
        found: Decimal = calc_price(counted, model, provider_api_url=url).total_price
    except (LookupError, ValueError):
        return None
    return float(found)
