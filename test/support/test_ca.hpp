#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dynconf::test {

/// Runs the openssl program: a command and its arguments. Throws when it fails.
void openssl(std::vector<std::string> arguments);

/// A certificate and its key: PEM files.
struct issued {
    std::string certificate;
    std::string key;
};

/// What to issue a certificate for.
struct subject {
    /// How the server is reached, as "IP:127.0.0.1,DNS:localhost".
    std::string alternative_names = "IP:127.0.0.1,DNS:localhost";
    std::string name = "/O=test";
    /// For `openssl req -newkey`: "ec", "rsa:2048", "ed25519".
    std::string key = "ec";
    /// When it is valid, as 20201231235959Z; from now, for a month.
    std::string from = {};
    std::string until = {};
    /// Good for both, as one etcd's gateway uses it.
    std::string usage = "serverAuth,clientAuth";
};

/// A certificate authority made for one test.
class test_ca {
public:
    using issued = test::issued;

    /// Keeps its files in `directory`, which exists; `name` tells authorities there apart.
    test_ca(std::filesystem::path directory, std::string name);
    /// One whose own certificate `above` has issued.
    test_ca(std::filesystem::path directory, std::string name, test_ca& above);

    /// The authority's own certificate.
    std::string file() const { return base_.string() + ".pem"; }

    issued issue(const std::string& alternative_names);
    issued issue(const subject& whom);

    /// Without an authority.
    static issued self_signed(const std::filesystem::path& directory, const std::string& alternative_names);

private:
    void open_books() const;
    issued issue(const subject& whom, const std::string& extensions);

    std::filesystem::path base_;
    int issued_ = 0;
};

/// A new RSA key pair: two PEM files.
struct rsa_pair {
    std::string private_key;
    std::string public_key;
};
rsa_pair make_rsa_pair(const std::filesystem::path& directory);

}  // namespace dynconf::test
