//! Why a client and a server cannot agree on TLS.

/// Why a TLS handshake failed, according to rustls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// No trusted authority signed the server's certificate.
    UnknownAuthority,
    /// The certificate is for another host.
    WrongName,
    /// The certificate has expired, or is not valid yet.
    WrongTime,
    /// The certificate is unusable for another reason.
    BadCertificate,
    /// The server offers no safe version or cipher of TLS.
    OldTls,
    /// The server wants a client certificate, or a different one.
    ClientCertificate,
    /// Whatever answers does not speak TLS.
    NoTls,
}

impl Disagreement {
    /// The disagreement that the text of an error describes, if it is about a handshake.
    pub fn told_by(text: &str) -> Option<Self> {
        const TEXTS: [(&str, Disagreement); 17] = [
            (
                "peer certificate: UnknownIssuer",
                Disagreement::UnknownAuthority,
            ),
            // An authority with the same name but another key.
            (
                "peer certificate: BadSignature",
                Disagreement::UnknownAuthority,
            ),
            ("certificate not valid for name", Disagreement::WrongName),
            ("certificate expired", Disagreement::WrongTime),
            ("certificate not valid yet", Disagreement::WrongTime),
            ("invalid peer certificate", Disagreement::BadCertificate),
            ("peer is incompatible", Disagreement::OldTls),
            ("fatal alert: ProtocolVersion", Disagreement::OldTls),
            ("fatal alert: HandshakeFailure", Disagreement::OldTls),
            ("fatal alert: InsufficientSecurity", Disagreement::OldTls),
            (
                "fatal alert: CertificateRequired",
                Disagreement::ClientCertificate,
            ),
            ("fatal alert: UnknownCA", Disagreement::ClientCertificate),
            (
                "fatal alert: BadCertificate",
                Disagreement::ClientCertificate,
            ),
            (
                "fatal alert: CertificateUnknown",
                Disagreement::ClientCertificate,
            ),
            (
                "fatal alert: CertificateExpired",
                Disagreement::ClientCertificate,
            ),
            ("corrupt message of type", Disagreement::NoTls),
            ("tls handshake eof", Disagreement::NoTls),
        ];
        let told = TEXTS.iter().find(|(piece, _)| text.contains(piece));
        told.map(|(_, disagreement)| *disagreement)
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::UnknownAuthority => {
                "use --ca-bundle to trust the CA that signed the server's certificate"
            }
            Self::WrongName => "use the host name in the server's certificate",
            Self::WrongTime => "renew the server's certificate, or set this machine's clock",
            Self::BadCertificate => "replace the server's certificate",
            Self::OldTls => "enable TLS 1.2 or 1.3 with a safe cipher on the server",
            Self::ClientCertificate => {
                "use a client certificate that the server accepts: for MongoDB, set \
                 `tlsCertificateKeyFile`"
            }
            Self::NoTls => {
                "the server does not speak TLS on this port: check host and port, or remove \
                 `https` or `tls` if that is safe"
            }
        }
    }
}
