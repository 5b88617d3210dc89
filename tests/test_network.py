"""No test reaches a network by accident; loopback is open, for servers that a test starts."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


@pytest.mark.filterwarnings("ignore:A test tried to use socket.socket.connect")
def test_other_hosts_are_refused_before_a_packet_leaves() -> None:
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError):
        client.connect(("192.0.2.1", 80))


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"chunk")
        peer, _ = server.accept()
        with peer:
            assert peer.recv(5) == b"chunk"
