#pragma once

#include <filesystem>
#include <string>

namespace dynconf::test {

/// A certificate authority made for one test with the openssl program.
class test_ca {
public:
    /// Keeps its files in `directory`, which exists; `name` tells authorities there apart.
    test_ca(std::filesystem::path directory, std::string name);

    /// The authority's own certificate.
    std::string file() const { return base_.string() + ".pem"; }

    struct issued {
        std::string certificate;
        std::string key;
    };
    /// For a server that is reached as `alternative_names`, as "IP:127.0.0.1,DNS:localhost". Good for clients, too: as
    /// one etcd's gateway uses it.
    issued issue(const std::string& alternative_names);

private:
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
