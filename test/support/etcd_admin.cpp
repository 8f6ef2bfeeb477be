#include "support/etcd_admin.hpp"

#include <nlohmann/json.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <stdexcept>

namespace dynconf::test {

using nlohmann::json;

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Not the library's: what is under test may not vouch for itself.
std::string to_base64(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k) text += k <= have ? alphabet[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::string from_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) break;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        bytes += static_cast<char>(bits >> have & 0xFF);
    }
    return bytes;
}

std::string after_prefix(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && end.back() == '\xFF') end.pop_back();
    if (end.empty()) return std::string(1, '\0');
    end.back() = static_cast<char>(end.back() + 1);
    return end;
}

std::int64_t number(const json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() ? 0 : std::stoll(found->get<std::string>());
}

std::int64_t revision_of(const std::string& answer) { return number(json::parse(answer).at("header"), "revision"); }

json put_request(std::string_view key, std::string_view value) {
    return {{"key", to_base64(key)}, {"value", to_base64(value)}};
}

}  // namespace

std::string etcd_admin::call(std::string_view path, std::string_view body) const {
    raw_answer answer = etcd_->raw(path, body, token_, limit_);
    if (as_root_ && (answer.status == 401 || answer.body.find("auth store is old") != std::string::npos)) {
        log_in();
        answer = etcd_->raw(path, body, token_, limit_);
    }
    if (answer.status != 200)
        throw std::runtime_error(std::string(path) + ": " + std::to_string(answer.status) + " " + answer.body);
    return std::move(answer.body);
}

std::int64_t etcd_admin::put(std::string_view key, std::string_view value) const {
    return revision_of(call("/v3/kv/put", put_request(key, value).dump()));
}

std::int64_t etcd_admin::erase(std::string_view key) const {
    return revision_of(call("/v3/kv/deleterange", json{{"key", to_base64(key)}}.dump()));
}

std::int64_t etcd_admin::change_all(
    const std::vector<std::pair<std::string, std::string>>& puts, const std::vector<std::string>& deletes) const {
    json success = json::array();
    for (const auto& [key, value] : puts) success.push_back({{"request_put", put_request(key, value)}});
    for (const std::string& key : deletes)
        success.push_back({{"request_delete_range", json{{"key", to_base64(key)}}}});
    return revision_of(call("/v3/kv/txn", json{{"success", success}}.dump()));
}

void etcd_admin::flood(
    std::size_t count, const std::function<std::pair<std::string, std::string>(std::size_t)>& numbered) const {
    constexpr std::size_t connections = 8;
    constexpr std::size_t at_once = 50;
    std::atomic<std::size_t> next{0};
    const auto send = [&] {
        boost::asio::io_context io;
        boost::asio::ip::tcp::socket wire(io);
        wire.connect({boost::asio::ip::address_v4::loopback(), etcd_->port()});
        for (std::size_t first; (first = next.fetch_add(at_once)) < count;) {
            const std::size_t here = std::min(at_once, count - first);
            std::string requests;
            for (std::size_t i = 0; i < here; ++i) {
                const auto [key, value] = numbered(first + i);
                const std::string body = put_request(key, value).dump();
                requests += "POST /v3/kv/put HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "
                    + std::to_string(body.size()) + (token_.empty() ? "" : "\r\nAuthorization: " + token_) + "\r\n\r\n"
                    + body;
            }
            boost::asio::write(wire, boost::asio::buffer(requests));
            std::string answers;
            constexpr std::string_view head = "HTTP/1.1 ";
            for (std::size_t seen = 0, from = 0; seen < here;) {
                std::array<char, 16384> piece;
                answers.append(piece.data(), wire.read_some(boost::asio::buffer(piece)));
                for (std::size_t at; seen < here && (at = answers.find(head, from)) != std::string::npos
                     && answers.size() >= at + head.size() + 3; from = at + 1, ++seen)
                    if (answers.compare(at + head.size(), 3, "200") != 0)
                        throw std::runtime_error("put: " + answers.substr(at, 300));
            }
        }
    };
    std::vector<std::future<void>> all;
    for (std::size_t i = 0; i < connections; ++i) all.push_back(std::async(std::launch::async, send));
    for (std::future<void>& f : all) f.get();
}

etcd_admin::content etcd_admin::read(std::string_view prefix, std::int64_t revision) const {
    const json request{{"key", to_base64(prefix.empty() ? std::string_view("\0", 1) : prefix)},
        {"range_end", to_base64(after_prefix(prefix))}, {"revision", std::to_string(revision)}};
    const json answer = json::parse(call("/v3/kv/range", request.dump()));
    content all;
    if (!answer.contains("kvs")) return all;
    for (const json& kv : answer["kvs"])
        all[from_base64(kv.at("key").get<std::string>())] = {
            from_base64(kv.value("value", "")), number(kv, "mod_revision")};
    return all;
}

std::int64_t etcd_admin::revision() const {
    return revision_of(call("/v3/kv/range", json{{"key", to_base64("x")}, {"count_only", true}}.dump()));
}

void etcd_admin::compact(std::int64_t revision) const {
    call("/v3/kv/compaction", json{{"revision", std::to_string(revision)}, {"physical", true}}.dump());
}

void etcd_admin::enable_auth() {
    add_user("root", "root");
    add_role("root");
    grant_role("root", "root");
    call("/v3/auth/enable", "{}");
    as_root_ = true;
    log_in();
}

void etcd_admin::disable_auth() {
    call("/v3/auth/disable", "{}");
    as_root_ = false;
    token_.clear();
}

void etcd_admin::log_in() const {
    token_.clear();
    token_ = json::parse(call("/v3/auth/authenticate", R"({"name":"root","password":"root"})"))
                 .at("token")
                 .get<std::string>();
}

void etcd_admin::add_user(std::string_view name, std::string_view password) const {
    call("/v3/auth/user/add", json{{"name", name}, {"password", password}}.dump());
}

void etcd_admin::change_password(std::string_view name, std::string_view password) const {
    call("/v3/auth/user/changepw", json{{"name", name}, {"password", password}}.dump());
}

void etcd_admin::add_role(std::string_view role) const { call("/v3/auth/role/add", json{{"name", role}}.dump()); }

void etcd_admin::grant(std::string_view role, std::string_view prefix, std::string_view permission) const {
    const json perm{
        {"permType", permission}, {"key", to_base64(prefix)}, {"range_end", to_base64(after_prefix(prefix))}};
    call("/v3/auth/role/grant", json{{"name", role}, {"perm", perm}}.dump());
}

void etcd_admin::grant_role(std::string_view user, std::string_view role) const {
    call("/v3/auth/user/grant", json{{"user", user}, {"role", role}}.dump());
}

}  // namespace dynconf::test
