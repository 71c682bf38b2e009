"""For a kernel that is to take itself for Colab's: the part of `google.colab` that widgets ask for.

As there, `enable_custom_widget_manager` makes what is displayed (not a cell's result) say where the
scripts of widgets come from.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import SimpleNamespace

VIEW = "application/vnd.jupyter.widget-view+json"
MANAGER = {"custom_widget_manager": {"url": "manager.js"}}
enabled = []


def add_manager(message):
    content = message.get("content", {})
    if VIEW in content.get("data", {}):
        content.setdefault("metadata", {}).setdefault(VIEW, {})["colab"] = MANAGER
    return message


def enable_custom_widget_manager():
    if not enabled:
        get_ipython().display_pub.register_hook(add_manager)  # noqa: F821
        enabled.append(True)


for name in ("google", "google.colab", "google.colab.output"):
    sys.modules[name] = module_from_spec(ModuleSpec(name, None, is_package=True))
output = sys.modules["google.colab.output"]
output.enable_custom_widget_manager = enable_custom_widget_manager
output._widgets = SimpleNamespace(_installed_url="manager.js")  # anywidget asks for it
