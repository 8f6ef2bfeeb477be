#include "etcd/capabilities.hpp"

#include "etcd/each_endpoint.hpp"
#include "etcd/secret_body.hpp"
#include "wire/classify.hpp"
#include "wire/requests.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

namespace dynconf {
namespace etcd {

namespace {

using clock = client_core::clock;
using shape = endpoint_capabilities::error_shape;
using auth_mode = endpoint_capabilities::auth_mode;
using token_kind = endpoint_capabilities::token_kind;

/// Whatever is said, with whatever status.
class any_reply final : public reply {
public:
    unsigned status = 0;
    std::string text;

private:
    bool takes(unsigned s) const noexcept override { return s != 0; }
    void restart() override {
        text.clear();
        text.reserve(4096);   // a token fits: no second text, which nobody would wipe
    }
    void on_head(unsigned s) override {
        status = s;
        reply::on_head(s);
    }
    bool write(std::string_view piece) override {
        constexpr std::size_t enough = 64 * 1024;
        text += piece.substr(0, enough - std::min(enough, text.size()));
        return true;
    }
    result<void> take() override { return {}; }
};

struct said {
    unsigned status = 0;
    std::string text;
    error meaning;   // when it is a refusal
};

asio::awaitable<result<said>> ask(client_core& core, std::size_t index, std::string_view path, std::string_view body, clock::time_point due,
                                  std::string_view secret = {}) {
    call what{"probe", path};
    what.get = body.empty();
    what.needs_leader = false;
    what.authenticated = false;
    what.secret = secret;
    any_reply answer;
    auto done = co_await core.perform_at(index, what, body, answer, due);
    if (!done) co_return done.error();
    said r;
    r.status = answer.status;
    r.text = std::move(answer.text);
    if (r.status != 200) r.meaning = wire::classify(r.status, r.text);
    co_return r;
}

/// A gateway looks for the path first and for JSON second, so that what is none tells whether the path exists, and no more.
const std::string no_json = "x";

asio::awaitable<result<bool>> offers(client_core& core, std::size_t index, std::string_view path, clock::time_point due) {
    auto answer = co_await ask(core, index, path, no_json, due);
    if (!answer) co_return answer.error();
    co_return answer->status != 404;
}

/// The member `name` of a flat object, as text.
std::string member_of(std::string_view json, std::string_view name) {
    const auto at = json.find('"' + std::string(name) + '"');
    if (at == std::string_view::npos) return {};
    const auto begin = json.find('"', json.find(':', at));
    if (begin == std::string_view::npos) return {};
    return std::string(json.substr(begin + 1, json.find('"', begin + 1) - begin - 1));
}

asio::awaitable<result<endpoint_capabilities>> probe(client_core& core, std::size_t index, clock::time_point due) {
    endpoint_capabilities found;
    const std::string none;
    auto version = co_await ask(core, index, "/version", none, due);
    if (!version) co_return version.error();
    if (version->status != 200) co_return version->meaning;
    found.version = member_of(version->text, "etcdserver");
    found.cluster_version = member_of(version->text, "etcdcluster");
    found.storage_version = member_of(version->text, "storage");
    if (found.version.empty()) co_return error{errc::malformed_response, "probe: /version names no etcd"};
    found.progress_answers = progress_of(found.version);

    auto refusal = co_await ask(core, index, "/v3/kv/range", no_json, due);
    if (!refusal) co_return refusal.error();
    found.gateway = refusal->meaning.code != errc::gateway_disabled;
    auto ready = co_await ask(core, index, "/readyz", none, due);
    if (!ready) co_return ready.error();
    found.readyz = ready->status != 404;
    if (!found.gateway) co_return found;
    found.errors = refusal->text.find("\"error\"") != std::string::npos ? shape::with_error_member : shape::code_and_message;

    const std::array<std::pair<std::string_view, bool endpoint_capabilities::*>, 3> paths = {{
        {"/v3/auth/status", &endpoint_capabilities::auth_status},
        {"/v3/maintenance/hashkv", &endpoint_capabilities::hash_kv},
        {"/v3/maintenance/downgrade", &endpoint_capabilities::downgrade},
    }};
    for (const auto& [path, member] : paths) {
        auto there = co_await offers(core, index, path, due);
        if (!there) co_return there.error();
        found.*member = *there;
    }
    credentials own;
    if (core.has_credentials()) {
        auto given = co_await core.current_credentials();
        if (given) own = std::move(*given);
    }
    const secret who = as_secret(wire::authenticate_request(own.username, own.password.reveal()));
    auto login = co_await ask(core, index, "/v3/auth/authenticate", who.reveal(), due, own.password.reveal());
    if (!login) co_return login.error();
    const wiped at_end{login->text};   // it holds a token
    if (login->status == 200) {
        found.auth = auth_mode::on;
        std::string token = member_of(login->text, "token");
        found.tokens = kind_of_token(token);
        wipe(token);
    } else if (login->meaning.code == server_errc::auth_not_enabled) found.auth = auth_mode::off;
    else if (login->meaning.code == server_errc::auth_failed || login->meaning.code == server_errc::user_empty) found.auth = auth_mode::on;
    co_return found;
}

std::string_view word(bool yes) { return yes ? "yes" : "no"; }

std::string_view word(shape s) {
    switch (s) {
    case shape::with_error_member: return "with \"error\" (gateway 1)";
    case shape::code_and_message: return "code and message (gateway 2)";
    case shape::unknown: break;
    }
    return "unknown";
}

std::string_view word(auth_mode m) { return m == auth_mode::on ? "on" : m == auth_mode::off ? "off" : "unknown"; }

std::string_view word(token_kind k) { return k == token_kind::jwt ? "JWT" : k == token_kind::simple ? "simple" : "unknown"; }

std::string_view word(endpoint_capabilities::progress p) {
    switch (p) {
    case endpoint_capabilities::progress::may_overtake: return "may overtake events";
    case endpoint_capabilities::progress::trustworthy: return "trustworthy";
    case endpoint_capabilities::progress::unknown: break;
    }
    return "unknown";
}

}  // namespace

endpoint_capabilities::progress progress_of(std::string_view version) noexcept {
    using progress = endpoint_capabilities::progress;
    std::array<unsigned, 3> numbers{};
    const char* at = version.data();
    const char* const end = at + version.size();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i != 0 && (at == end || *at++ != '.')) return progress::unknown;
        const auto [next, bad] = std::from_chars(at, end, numbers[i]);
        if (bad != std::errc{}) return progress::unknown;
        at = next;
    }
    const std::array<unsigned, 3> mended = numbers[1] <= 4 ? std::array<unsigned, 3>{3, 4, 25} : std::array<unsigned, 3>{3, 5, 8};
    return numbers < mended ? progress::may_overtake : progress::trustworthy;
}

/// A simple one is 16 letters, a dot and a number; a JWT three parts in base64, the first of which is a JSON object.
token_kind kind_of_token(std::string_view token) noexcept {
    const auto dots = std::count(token.begin(), token.end(), '.');
    if (dots == 2 && token.starts_with("eyJ")) return token_kind::jwt;
    const auto dot = token.find('.');
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (dots == 1 && dot != 0 && dot + 1 != token.size() && std::all_of(token.begin() + static_cast<std::ptrdiff_t>(dot) + 1, token.end(), is_digit))
        return token_kind::simple;
    return token_kind::unknown;
}

asio::awaitable<result<capability_report>> probe_each(client_core& core, clock::time_point due) {
    auto one = [&](std::size_t index) { return probe(core, index, due); };
    auto answers = co_await ask_each_endpoint<endpoint_capabilities>(core, "probe", due, one);
    if (!answers) co_return answers.error();
    capability_report report;
    for (auto& a : *answers) {
        endpoint_capabilities found;
        if (a.answer) found = std::move(*a.answer);
        else found.cause = a.answer.error();
        found.endpoint = std::move(a.endpoint);
        report.endpoints.push_back(std::move(found));
    }
    co_return report;
}

}  // namespace etcd

std::string capability_report::text() const {
    using etcd::word;
    std::string out;
    const auto line = [&out](std::string_view name, std::string_view value) {
        ((((out += "  ") += name).append(name.size() < 20 ? 20 - name.size() : 1, ' ')) += value) += '\n';
    };
    for (const endpoint_capabilities& e : endpoints) {
        (out += e.endpoint) += '\n';
        if (e.cause.code.failed()) {
            line("no answer", e.cause.message());
            continue;
        }
        line("etcd", e.version);
        line("cluster version", e.cluster_version);
        if (!e.storage_version.empty()) line("storage version", e.storage_version);
        line("JSON gateway", word(e.gateway));
        line("errors", word(e.errors));
        line("progress answers", word(e.progress_answers));
        line("authentication", word(e.auth));
        line("tokens", word(e.tokens));
        line("/v3/auth/status", word(e.auth_status));
        line("hashkv", word(e.hash_kv));
        line("downgrade", word(e.downgrade));
        line("/readyz", word(e.readyz));
    }
    return out;
}

}  // namespace dynconf
