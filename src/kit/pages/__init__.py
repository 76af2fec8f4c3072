"""Pages: Jinja templates in the slices, one base, one set of components, four languages.

An app makes one ``Pages`` at start and keeps it in its wiring::

    pages = Pages({"idp": Path(idp.__file__).parent}, static_prefix="/idp/static", home="/idp/account")
    html = pages.render("idp/sign_in/sign_in.html", locale=locale, path="/idp/sign-in?interaction=…", csrf=token,
                        errors={"username": _("Enter your identifier.")}, …)

* ``idp/sign_in/sign_in.html`` is ``src/idp/sign_in/pages/sign_in.html``; ``kit/pages/base.html`` is what all extend.
* ``locale``: from ``locale_of(query, cookies, accept_language=…, ui_locales=…, profile=…)``. When the query has
  ``lang``, ``lang_cookie(query)`` is the ``Set-Cookie`` value that remembers it; else None.
* ``pages.static.handler()`` is the Litestar handler of ``static_prefix``; ``pages.static`` is an ASGI application.
* ``path``: the page's own path with its query, for the language links (omit it where the page has no GET address);
  ``own_address(scope)`` is that of a request.
* ``csrf``: the token; inside a form write ``{{ c.csrf() }}``.
* In a template: ``_("…", name=value)``, ``ngettext("%(num)s page", "%(num)s pages", n)``, ``static("x.svg")``,
  ``locale``, ``path``; filters ``bdi`` (around every name), ``ltr`` (identifiers, phone numbers), ``date``, ``moment``,
  ``relative``, ``expiry``. Translations are text, never HTML; values are escaped; ``name|bdi`` may be a value.
* Undefined names raise. No inline style or script anywhere: the content security policy refuses them.

A page::

    {% extends "kit/pages/base.html" %}
    {% import "kit/pages/components.html" as c with context %}
    {% block title %}{{ _("Sign in") }}{% endblock %}
    {% block content %}
      {{ c.error_summary(errors) }}
      <h1>{{ _("Sign in") }}</h1>
      <form method="post">{{ c.csrf() }}
        {{ c.field("username", _("Identifier"), error=errors.get("username"), autocomplete="username", ltr=true) }}
        {{ c.button(_("Go on"), id="login-submit") }}
      </form>
    {% endblock %}

Blocks of ``base.html``: ``title``, ``robots``, ``navigation`` (a ``<nav>`` in the header), ``account`` (end of the
header), ``before`` (above the content: a back link, breadcrumbs), ``content``, ``footer``, ``scripts``. Optional view
values: ``navigation`` (a sequence of ``(href, label, current)``, label a Message), ``person`` (the name of who is
signed in), ``sign_out`` (address of the sign-out form, POST with ``csrf``), ``wide`` (true: tables need the width).

Components (``kit/pages/components.html``), all keyword arguments optional unless shown:

* ``csrf()``; ``hidden(name, value)``
* ``button(label, id=, name=, value=, kind="primary"|"secondary"|"danger")``; ``link_button(label, href, kind=, id=)``;
  ``buttons()`` as ``{% call c.buttons() %}…{% endcall %}``: two or more of equal size
* ``field(name, label, value="", hint=, error=, type="text", id=name, autocomplete=, inputmode=, ltr=false,
  required=true, maxlength=, width="full"|"10"|"6", autofocus=false)``;
  ``textarea(…)``, ``file(name, label, accept=, hint=, error=)``, ``date_field(name, label, value=, min=, max=, …)``
* ``radios(name, legend, options, value=, hint=, error=)``, ``checkboxes(…, values=())`` with options
  ``(value, label[, hint])``; ``checkbox(name, label, checked=false, value="on", hint=, disabled=false)``;
  ``select(name, label, options, value=)``
* ``error_summary(errors)``: ``errors`` maps a field's id to a Message (or str msgid); takes the focus; nothing if empty
* ``summary_list(rows)`` with ``(key, value[, (href, action, hidden_text)])``: labels already said with ``_()``
* ``chip(label, tone="good"|"wait"|"bad"|"quiet")``: a state is a word
* ``notification(text, tone="good"|"wait"|"bad"|"quiet", title=)``
* ``verdict(sentence, tone)``: the one big sentence; ``check(passed, label, text=)``: a tick and a word
* ``details(summary)`` as ``{% call %}``; ``card(href=, title=)`` as ``{% call %}``
* ``step(number, of)``: "Step 2 of 4"; ``copyable(id, label, value)``: a read-only box with a link or a code
* ``icon("good"|"bad"|"wait"|"quiet"|"back"|"on")``; ``choice(kind, id, name, value, label, hint=, checked=)``
* classes without a macro: ``ul.cards`` around cards, ``ul.checks`` around checks, ``ul.plain``, ``nav.filters``,
  ``img.picture`` or ``figure.page-picture`` (a page), ``.qr``, ``p.lead``, ``.small-print``; the rest is Bootstrap's
* ``pager(previous=, following=)``: hrefs; ``back_link(href, label=)``
* ``table(caption, heads)`` as ``{% call %}`` around ``<tr>…``: scrolls inside itself on a narrow screen
* ``empty(title, text)`` as ``{% call %}``: an empty state that teaches
"""

from kit.pages.language import in_language, lang_cookie, locale_of, own_address
from kit.pages.renderer import Pages
from kit.pages.static import StaticFiles

__all__ = ["Pages", "StaticFiles", "in_language", "lang_cookie", "locale_of", "own_address"]
