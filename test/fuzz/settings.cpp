#include "fuzz/target.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/settings.hpp>
#include <dynconf/endpoint.hpp>

#include "config/load_environment.hpp"

#include <map>
#include <memory>

using namespace dynconf;
using fuzz::promise;

namespace {

struct service {
    int workers = 0;
    std::chrono::milliseconds patience{};
    std::vector<std::string> hosts;
    secret token;
    int pin = 0;
    std::optional<double> share;
};

std::shared_ptr<const schema> schema_below(std::string prefix) {
    auto s = std::make_shared<declared_schema<service>>(std::move(prefix));
    s->optional("workers", &service::workers, {.etcd = "workers", .env = "WORKERS"}, 4, in_range(1, 64));
    s->optional("patience", &service::patience, {.etcd = "patience", .env = "PATIENCE"}, std::chrono::milliseconds(500));
    s->optional("hosts", &service::hosts, {.etcd = "hosts", .env = "HOSTS"}, {});
    s->optional("token", &service::token, {.etcd = "token", .env = "TOKEN"}, {});
    s->optional("pin", &service::pin, {.etcd = "pin", .env = "PIN", .secret = true}, 0);
    s->optional("share", &service::share, {.etcd = "share", .env = "SHARE"});
    return s;
}

/// Lines as "W=7", with one letter for each variable, so that bytes go into values.
std::map<std::string, std::string> environment_of(fuzz::input& in) {
    static const std::map<char, std::string> variables{
        {'H', "EtcdSettings__HostName"}, {'U', "EtcdSettings__UserName"}, {'P', "EtcdSettings__Password"}, {'F', "EtcdSettings__PasswordFile"},
        {'R', "EtcdSettings__RootKey"}, {'C', "EtcdSettings__CaCertPath"}, {'D', "EtcdSettings__Dev"}, {'L', "USE_LOCAL_CONFIG"},
        {'w', "WORKERS"}, {'p', "PATIENCE"}, {'h', "HOSTS"}, {'t', "TOKEN"}, {'i', "PIN"}, {'s', "SHARE"}};
    std::map<std::string, std::string> found;
    while (!in.empty()) {
        const std::string_view line = in.line();
        const auto variable = line.empty() ? variables.end() : variables.find(line.front());
        if (variable == variables.end() || line.find(fuzz::canary) != std::string_view::npos) continue;
        const bool is_secret = variable->first == 't' || variable->first == 'i' || variable->first == 'P';
        found[variable->second] = std::string(is_secret ? fuzz::canary : "") + std::string(line.substr(std::min<std::size_t>(2, line.size())));
    }
    return found;
}

void check_connection(const settings& s) {
    if (s.endpoints) {
        promise(!s.endpoints->empty(), "a list of no endpoints");
        for (const std::string& e : *s.endpoints) {
            promise(e.find("://") != std::string::npos, "no scheme: " + e);
            promise(completed_endpoint(e) == e, "completed twice it is another: " + e);
        }
    }
    promise(!s.password || s.password->reveal().starts_with(fuzz::canary), "another password");
    const std::string root = s.config_root("/default");
    promise(root.empty() || (root.front() == '/' && (root.size() == 1 || root.back() != '/')), "no root: " + root);
    promise(!s.is_dev() || root.starts_with("/dev"), "not the root for development: " + root);
}

}  // namespace

FUZZ_TARGET(settings) {
    const auto variables = environment_of(in);
    const environment_lookup look_up = [&variables](const std::string& name) -> std::optional<std::string> {
        const auto at = variables.find(name);
        return at == variables.end() ? std::nullopt : std::optional(at->second);
    };
    const auto connection = dynconf::settings::from_environment(look_up);
    check_connection(connection);

    const auto compiled = detail::compiled_schema::compile(schema_below(connection.config_root("/default")));
    promise(compiled.has_value(), "a root that makes the schema impossible");
    const auto loaded = detail::load_environment(*compiled, look_up);
    promise(loaded.entries.size() == compiled->names().size(), "a setting without an entry");
    for (const rejection& r : loaded.rejections) {
        promise(compiled->knows(r.name), "a rejection of nothing: " + r.name);
        promise(r.reason.code.failed() && r.reason.detail.find(r.name) != std::string::npos, "it does not say which setting: " + r.reason.message());
        fuzz::keeps_secret(r.reason.message());
    }
}
