"""Certificates made for one run by the openssl program."""

import os

from . import process


class Certificates:
    """An authority, a server for localhost, 127.0.0.1 and ::1, a server of another name, a client,
    and an authority that signed none of them. Attributes are file names."""

    def __init__(self):
        self.directory = process.temp_dir("tls")
        self._authority("ca")
        self._authority("other_ca")
        self._leaf("server", "DNS:localhost,IP:127.0.0.1,IP:::1")
        self._leaf("elsewhere", "DNS:elsewhere.example")
        self._leaf("client", "DNS:client.example")
        self._leaf("expired", "DNS:localhost,IP:127.0.0.1", days="0")
        for name in os.listdir(self.directory):  # the database's user reads client keys
            os.chmod(os.path.join(self.directory, name), 0o644)

    def _path(self, name, kind):
        path = os.path.join(self.directory, name + "." + kind)
        setattr(self, "%s_%s" % (name, "cert" if kind == "crt" else kind), path)
        return path

    def _key(self, name):
        path = self._path(name, "key")
        process.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                     path])
        return path

    def _authority(self, name):
        process.run(["openssl", "req", "-x509", "-new", "-key", self._key(name), "-days", "2",
                     "-subj", "/CN=sqlredis test " + name, "-out", self._path(name, "crt")])

    def _leaf(self, name, alternative_names, days="2"):
        key, request = self._key(name), os.path.join(self.directory, name + ".csr")
        extensions = os.path.join(self.directory, name + ".ext")
        with open(extensions, "w") as file:
            file.write("subjectAltName=%s\n" % alternative_names)
        process.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=" + name, "-out",
                     request])
        process.run(["openssl", "x509", "-req", "-in", request, "-CA", self.ca_cert, "-CAkey",
                     self.ca_key, "-CAcreateserial", "-days", days, "-extfile", extensions,
                     "-out", self._path(name, "crt")])
