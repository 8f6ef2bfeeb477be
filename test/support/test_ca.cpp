#include "support/test_ca.hpp"

#include "support/child_process.hpp"

#include <fstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dynconf::test {

namespace {

void openssl(std::vector<std::string> arguments) {
    const std::string command = arguments.front();
    arguments.insert(arguments.begin(), "openssl");
    const program_output done = run_program(arguments);
    if (done.status != 0) throw std::runtime_error("openssl " + command + ": " + done.err);
}

const std::vector<std::string> new_key{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"};

}  // namespace

test_ca::test_ca(std::filesystem::path directory, std::string name) : base_(std::move(directory) / std::move(name)) {
    std::vector<std::string> request{
        "req", "-x509", "-days", "2", "-subj", "/O=test authority", "-keyout", base_.string() + ".key", "-out", file()};
    request.insert(request.end(), new_key.begin(), new_key.end());
    openssl(request);
}

test_ca::issued test_ca::issue(const std::string& alternative_names) {
    const std::string base = base_.string() + "-" + std::to_string(++issued_);
    std::vector<std::string> request{"req", "-subj", "/O=test server", "-keyout", base + ".key", "-out", base + ".csr"};
    request.insert(request.end(), new_key.begin(), new_key.end());
    openssl(request);
    std::ofstream(base + ".ext") << "subjectAltName=" << alternative_names
                                 << "\nextendedKeyUsage=serverAuth,clientAuth\n";
    openssl({"x509", "-req", "-in", base + ".csr", "-CA", file(), "-CAkey", base_.string() + ".key", "-CAcreateserial",
        "-days", "2", "-extfile", base + ".ext", "-out", base + ".pem"});
    return {base + ".pem", base + ".key"};
}

rsa_pair make_rsa_pair(const std::filesystem::path& directory) {
    rsa_pair made{(directory / "rsa.key").string(), (directory / "rsa.pub").string()};
    openssl({"genrsa", "-out", made.private_key, "2048"});
    openssl({"rsa", "-in", made.private_key, "-pubout", "-out", made.public_key});
    return made;
}

}  // namespace dynconf::test
