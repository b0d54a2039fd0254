"""Prints what TensorBoard's own readers find below a folder of event files, as JSON.

python read.py FOLDER, with the package tensorboard installed.
"""

import json
import math
import sys

from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from tensorboard.util import tensor_util

folder = sys.argv[1]
multiplexer = plugin_event_multiplexer.EventMultiplexer(size_guidance={"tensors": 0})
multiplexer.AddRunsFromDirectory(folder)
multiplexer.Reload()


def plain(value):
    """JSON has neither nan nor inf: they are texts."""
    return value if math.isfinite(value) else str(value)


def scalars(run):
    """By tag the list of [wall time, step, value]; what belongs to plugins is left out."""
    accumulator = multiplexer.GetAccumulator(run)
    return {
        tag: [
            [event.wall_time, event.step, plain(float(tensor_util.make_ndarray(event.tensor_proto)))]
            for event in accumulator.Tensors(tag)
        ]
        for tag in accumulator.Tags()["tensors"]
        if not tag.startswith("_hparams_/")
    }


def groups():
    """The lines of the page of hyperparameters."""
    provider = data_provider.MultiplexerDataProvider(multiplexer, folder)
    own = backend_context.Context(
        base_plugin.TBContext(logdir=folder, multiplexer=multiplexer, data_provider=provider)
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=1000,
        aggregation_type=api_pb2.AGGREGATION_AVG,
        allowed_statuses=api_pb2.Status.values(),
    )
    handler = list_session_groups.Handler(context.RequestContext(), own, "", request)
    return [
        {
            "name": group.name,
            "hyperparameters": {
                name: getattr(value, value.WhichOneof("kind")) for name, value in group.hparams.items()
            },
            "metrics": {value.name.tag: plain(value.value) for value in group.metric_values},
        }
        for group in handler.run().session_groups
    ]


print(json.dumps({"runs": {run: scalars(run) for run in multiplexer.Runs()}, "groups": groups()}))
