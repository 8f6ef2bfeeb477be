#pragma once

#include <dynconf/secret.hpp>

#include <cstdint>
#include <string>

namespace dynconf {

enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// How `https://` endpoints are trusted, and how the client shows who it is. What cannot work together (a certificate both
/// as file and as text, a key without a certificate) is refused by the client's constructor with std::invalid_argument.
///
/// Files are looked at before each new connection, off the client's strand, and read again when changed. If that takes a second
/// or they cannot be used (garbage, or a key of another certificate while only one of the two is replaced), connections go on
/// with what was read last, `tls_files_refused` is logged, and the next change is tried. Connections that were opened with other
/// files are used for nothing new: while any is used files are looked at every 10 s, and a watch moves at its next sign of life.
struct tls_options {
    /// Who may vouch for etcd. `ca_file`, `ca_directory` and `ca_pem` add up; each certificate in them is an anchor of trust.
    /// None of them: the system's store.
    std::string ca_file;        ///< PEM, any number of certificates.
    std::string ca_directory;   ///< All PEM certificates of all its files; their names do not matter, other files neither.
    std::string ca_pem;         ///< PEM text.
    bool ca_and_system = false; ///< The system's store as well, beside those above.

    /// What the client shows when etcd asks for it (mTLS): PEM, the client's certificate first, then those between it and
    /// its authority. A file may be PKCS#12 instead, which holds the key as well.
    std::string cert_file;
    std::string cert_pem;       ///< The same as PEM text.
    /// Its private key, of any type that OpenSSL reads, RSA, EC and Ed25519 among them: PKCS#8 or traditional, encrypted or
    /// not, as PEM or DER. Empty: in `cert_file`, too.
    std::string key_file;
    secret key_pem;             ///< The same as PEM text.
    /// What an encrypted key is opened with. At most one of these; the variable and the file are read with the key.
    secret key_password;
    std::string key_password_env;    ///< Name of an environment variable.
    std::string key_password_file;   ///< Its first line.

    /// The name, or IP address, that every server's certificate has to bear, and that is sent as SNI. Empty: each endpoint's
    /// own host, which is an SRV record's target.
    std::string server_name;
    tls_version min_version = tls_version::v1_2;

    /// Anybody may answer in etcd's place, and read and change all that is sent, passwords and tokens included: the server's
    /// certificate is not looked at, authorities are not read. `tls_not_verified` is logged as a warning about it; without a
    /// `client_options::log` one line says it on the standard error output, once in a process.
    bool insecure_skip_verify = false;
};

}  // namespace dynconf
