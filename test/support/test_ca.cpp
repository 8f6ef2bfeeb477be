#include "support/test_ca.hpp"

#include "support/child_process.hpp"

#include <fstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dynconf::test {

namespace {

/// `openssl req` for a new key of that kind.
std::vector<std::string> request(const std::string& kind, const std::string& name, const std::string& key_file) {
    std::vector<std::string> all{"req", "-newkey", kind, "-nodes", "-subj", name, "-keyout", key_file};
    if (kind == "ec") all.insert(all.end(), {"-pkeyopt", "ec_paramgen_curve:P-256"});
    return all;
}

void add(std::vector<std::string>& to, std::initializer_list<std::string> more) { to.insert(to.end(), more); }

}  // namespace

void openssl(std::vector<std::string> arguments) {
    const std::string command = arguments.front();
    arguments.insert(arguments.begin(), "openssl");
    const program_output done = run_program(arguments);
    if (done.status != 0) throw std::runtime_error("openssl " + command + ": " + done.err);
}

test_ca::test_ca(std::filesystem::path directory, std::string name) : base_(std::move(directory) / std::move(name)) {
    std::vector<std::string> own = request("ec", "/O=test authority " + base_.filename().string(), base_.string() + ".key");
    add(own, {"-x509", "-days", "30", "-out", file()});
    openssl(own);
    open_books();
}

test_ca::test_ca(std::filesystem::path directory, std::string name, test_ca& above) : base_(std::move(directory) / std::move(name)) {
    subject self;
    self.name = "/O=test authority " + base_.filename().string();
    const issued made = above.issue(self, "basicConstraints=critical,CA:TRUE\n");
    std::filesystem::copy_file(made.certificate, file());
    std::filesystem::copy_file(made.key, base_.string() + ".key");
    open_books();
}

void test_ca::open_books() const {
    // Of its commands only `openssl ca` sets a time of beginning, and it wants its books for that.
    std::ofstream(base_.string() + ".index");
    std::ofstream(base_.string() + ".serial") << "1000\n";
    std::ofstream(base_.string() + ".cnf") << "[ca]\ndefault_ca=own\n[own]\ndatabase=" << base_.string() << ".index\nserial="
                                           << base_.string() << ".serial\nnew_certs_dir=" << base_.parent_path().string()
                                           << "\ndefault_md=sha256\ndefault_days=30\nunique_subject=no\npolicy=any\n[any]\n"
                                           << "commonName=optional\norganizationName=optional\n";
}

issued test_ca::issue(const std::string& alternative_names) {
    subject whom;
    whom.alternative_names = alternative_names;
    return issue(whom);
}

issued test_ca::issue(const subject& whom) {
    return issue(whom, "subjectAltName=" + whom.alternative_names + "\nextendedKeyUsage=" + whom.usage + "\n");
}

issued test_ca::issue(const subject& whom, const std::string& extensions) {
    const std::string base = base_.string() + "-" + std::to_string(++issued_);
    std::vector<std::string> asked = request(whom.key, whom.name, base + ".key");
    add(asked, {"-out", base + ".csr"});
    openssl(asked);
    std::ofstream(base + ".ext") << extensions;
    std::vector<std::string> sign{"ca", "-batch", "-notext", "-config", base_.string() + ".cnf", "-cert", file(), "-keyfile",
                                  base_.string() + ".key", "-in", base + ".csr", "-extfile", base + ".ext", "-out", base + ".pem"};
    if (!whom.from.empty()) add(sign, {"-startdate", whom.from});
    if (!whom.until.empty()) add(sign, {"-enddate", whom.until});
    openssl(sign);
    return {base + ".pem", base + ".key"};
}

issued test_ca::self_signed(const std::filesystem::path& directory, const std::string& alternative_names) {
    const std::string base = (directory / "self-signed").string();
    std::vector<std::string> own = request("ec", "/O=test server of its own", base + ".key");
    add(own, {"-x509", "-days", "30", "-addext", "subjectAltName=" + alternative_names, "-out", base + ".pem"});
    openssl(own);
    return {base + ".pem", base + ".key"};
}

rsa_pair make_rsa_pair(const std::filesystem::path& directory) {
    rsa_pair made{(directory / "rsa.key").string(), (directory / "rsa.pub").string()};
    openssl({"genrsa", "-out", made.private_key, "2048"});
    openssl({"rsa", "-in", made.private_key, "-pubout", "-out", made.public_key});
    return made;
}

}  // namespace dynconf::test
