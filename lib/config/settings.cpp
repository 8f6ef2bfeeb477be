#include <dynconf/config/settings.hpp>

#include <dynconf/config/coercion.hpp>

#include <algorithm>

namespace dynconf {
namespace {

std::string_view trimmed(std::string_view s) {
    constexpr std::string_view blanks = " \t\r\n\v\f";
    const auto first = s.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return s.substr(first, s.find_last_not_of(blanks) - first + 1);
}

// Only this word, as etcd-dynamic-config had it; what used to be false must not become true.
bool says_true(std::string_view text) {
    constexpr std::string_view word = "true";
    return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

void fill_text(std::optional<std::string>& field, const environment_lookup& look_up, const char* variable) {
    if (field && !field->empty()) return;
    field = look_up(variable);
    if (field && field->empty()) field.reset();
}

void fill_secret(std::optional<secret>& field, const environment_lookup& look_up, const char* variable) {
    if (field && !field->empty()) return;
    field.reset();
    auto text = look_up(variable);
    if (!text || text->empty()) return;
    field = secret(*text);
    wipe(*text);
}

void fill_flag(std::optional<bool>& field, const environment_lookup& look_up, const char* variable) {
    if (field) return;
    if (const auto text = look_up(variable); text && !text->empty()) field = says_true(*text);
}

}  // namespace

settings settings::from_environment(const environment_lookup& look_up) { return settings().or_environment(look_up); }

settings settings::or_environment(const environment_lookup& look_up) const {
    settings out = *this;
    if (out.endpoints)
        std::erase_if(*out.endpoints, [](const std::string& e) { return trimmed(e).empty(); });
    if (!out.endpoints || out.endpoints->empty()) {
        out.endpoints.reset();
        const auto text = look_up("EtcdSettings__HostName").value_or(std::string());
        auto listed = coercion<std::vector<std::string>>::from(text);
        if (listed && !listed->empty()) out.endpoints = std::move(*listed);
    }
    if (out.endpoints)
        for (auto& e : *out.endpoints) e = completed_endpoint(e);
    fill_text(out.username, look_up, "EtcdSettings__UserName");
    if (!out.password || out.password->empty()) {
        out.password.reset();
        if (auto text = look_up("EtcdSettings__Password"); text && !text->empty()) {
            out.password = *text;
            wipe(*text);
        }
    }
    fill_text(out.password_file, look_up, "EtcdSettings__PasswordFile");
    fill_text(out.root_key, look_up, "EtcdSettings__RootKey");
    fill_text(out.ca_cert_path, look_up, "EtcdSettings__CaCertPath");
    fill_text(out.cert_path, look_up, "EtcdSettings__CertPath");
    fill_text(out.key_path, look_up, "EtcdSettings__KeyPath");
    fill_secret(out.key_password, look_up, "EtcdSettings__KeyPassword");
    fill_flag(out.dev, look_up, "EtcdSettings__Dev");
    fill_flag(out.use_local_config, look_up, "USE_LOCAL_CONFIG");
    return out;
}

std::string settings::config_root(std::string_view default_root) const {
    auto root = trimmed(root_key ? std::string_view(*root_key) : std::string_view());
    if (root.empty()) root = trimmed(default_root);
    std::string out = is_dev() ? "/dev" : "";
    const auto end = root.find_last_not_of('/');
    if (end == std::string_view::npos) return out;
    if (root.front() != '/') out += '/';
    return out += root.substr(0, end + 1);
}

std::string completed_endpoint(std::string_view endpoint) {
    endpoint = trimmed(endpoint);
    std::string out(endpoint);
    if (out.find("://") == std::string::npos) out.insert(0, "http://");
    const auto host = out.find("://") + 3;
    const auto path = std::min(out.find('/', host), out.size());
    const auto authority = std::string_view(out).substr(host, path - host);
    const auto after_user = authority.substr(authority.rfind('@') + 1);  // npos + 1 is 0: no user part
    const auto after_ipv6 = after_user.substr(std::min(after_user.find(']'), after_user.size()));
    const bool bracketed = !after_ipv6.empty();
    const bool has_port = (bracketed ? after_ipv6 : after_user).find(':') != std::string_view::npos;
    if (!after_user.empty() && !has_port) out.insert(path, ":2379");
    return out;
}

}  // namespace dynconf
