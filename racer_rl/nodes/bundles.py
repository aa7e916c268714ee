"""Policy bundles as messages."""

from __future__ import annotations

from array import array

from std_msgs.msg import MultiArrayDimension, UInt8MultiArray

from racer_vehicle.policy import PolicyBundle


def bundle_message(bundle: PolicyBundle) -> UInt8MultiArray:
    """A bundle for `policy/bundle`, labelled with its digest."""
    size = len(bundle.content)
    message = UInt8MultiArray(data=array('B', bundle.content))
    message.layout.dim = [
        MultiArrayDimension(label=f'sha256:{bundle.sha256}', size=size, stride=size)]
    return message
