#include "policy/srv_terms.hpp"

#include <algorithm>
#include <utility>

namespace dynconf::policy {

namespace {

const char* protecting_option(const client_options& options) {
    const tls_options& tls = options.tls;
    const std::pair<bool, const char*> all[] = {
        {options.auth.has_value(), "auth"},
        {!tls.ca_file.empty(), "tls.ca_file"},
        {!tls.ca_directory.empty(), "tls.ca_directory"},
        {!tls.ca_pem.empty(), "tls.ca_pem"},
        {tls.ca_and_system, "tls.ca_and_system"},
        {!tls.cert_file.empty(), "tls.cert_file"},
        {!tls.cert_pem.empty(), "tls.cert_pem"},
        {!tls.server_name.empty(), "tls.server_name"},
        {tls.min_version != tls_version::v1_2, "tls.min_version"},
        {tls.insecure_skip_verify, "tls.insecure_skip_verify"},   // it asks for encryption, too
    };
    const auto found = std::find_if(std::begin(all), std::end(all), [](const auto& one) { return one.first; });
    return found == std::end(all) ? "" : found->second;
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

srv_terms terms_of(const client_options& options, bool https_only) {
    const tls_options& tls = options.tls;
    const bool own_authority = !tls.ca_file.empty() || !tls.ca_directory.empty() || !tls.ca_pem.empty();
    // Of a public authority anybody has a certificate for a name of his own.
    const bool anybody = !tls.insecure_skip_verify && tls.server_name.empty() && (!own_authority || tls.ca_and_system);
    srv_terms terms;
    terms.https_only = https_only;
    terms.protects = protecting_option(options);
    terms.allow_plain = options.discovery.allow_plain;
    terms.in_domain = anybody && !options.discovery.allow_foreign_targets;
    return terms;
}

bool is_in_domain(std::string_view name, std::string_view domain) noexcept {
    const auto same = [](std::string_view a, std::string_view b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
    };
    if (name.size() <= domain.size()) return same(name, domain);
    const std::size_t before = name.size() - domain.size();
    return name[before - 1] == '.' && same(name.substr(before), domain);
}

}  // namespace dynconf::policy
