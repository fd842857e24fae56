"""What a browser complains about while a test looks elsewhere."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

LEFT_THE_PAGE = "net::ERR_ABORTED"  # a stream or a fetch that ended because the page was left, or a download


class Watch:
    """Collects errors on the console (violations of the Content-Security-Policy among them), exceptions of scripts,
    requests that failed, and answers of 400 and more."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._expected: set[int] = set()

    def expect(self, *statuses: int) -> None:
        """From here on, answers with these statuses are what the test is about."""
        self._expected.update(statuses)

    def over(self, context: BrowserContext) -> None:
        """Watches all pages of a browser context."""
        context.on("console", self._console)
        context.on("weberror", self._exception)
        context.on("requestfailed", self._failed)
        context.on("response", self._answer)

    def _console(self, message: ConsoleMessage) -> None:
        # Chromium says each bad answer on the console too; `_answer` judges those.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console on {message.location['url']}: {message.text}")

    def _exception(self, error: WebError) -> None:
        self.complaints.append(f"exception: {error.error}")

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT_THE_PAGE:
            self.complaints.append(f"request failed: {request.method} {request.url}: {request.failure}")

    def _answer(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._expected:
            self.complaints.append(f"answer {response.status}: {response.request.method} {response.url}")
