#include "output_text.hpp"

#include "text.hpp"

#include <algorithm>

namespace dynconf::tool::text_lines {

namespace {

std::string plain(const std::string& bytes) { return is_utf8(bytes) ? bytes : "base64:" + to_base64(bytes); }

/// One line whatever is in it.
std::string quoted(const std::string& bytes) {
    if (!is_utf8(bytes)) return plain(bytes);
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "\"";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            text.append({'\\', c});
        } else if (c == '\n') {
            text += "\\n";
        } else if (c == '\t') {
            text += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            text.append("\\x").append({digits[byte >> 4], digits[byte & 15]});
        } else {
            text += c;
        }
    }
    return text + '"';
}

std::string listed(std::span<const event> events) {
    std::string text;
    for (const event& e : events) {
        const bool put = e.type == event::kind::put;
        text += std::string(put ? "  put " : "  delete ") + quoted(e.kv.key) + (put ? " = " + quoted(e.kv.value) : "")
            + '\n';
    }
    return text;
}

std::string number(const char* unit, std::int64_t n) { return std::to_string(n) + ' ' + unit + (n == 1 ? "" : "s"); }

}  // namespace

std::string snapshot(revision_t revision, const std::vector<key_value>& content) {
    std::string text = "snapshot at revision " + std::to_string(revision) + ": "
        + number("key", static_cast<std::int64_t>(content.size())) + '\n';
    for (const key_value& kv : content) text += "  " + quoted(kv.key) + " = " + quoted(kv.value) + '\n';
    return text;
}

std::string update(revision_t revision, std::span<const event> events) {
    return "update to revision " + std::to_string(revision) + '\n' + listed(events);
}

std::string resync(revision_t revision, mirror_step::reason why, std::span<const event> events) {
    std::string text = "resync to revision " + std::to_string(revision);
    if (why != mirror_step::reason::none) text.append(" (").append(name_of(why)).append(")");
    return text + '\n' + listed(events);
}

std::string state(std::string_view name, revision_t revision, const std::string& endpoint, const error* cause) {
    std::string text = "state " + std::string(name);
    if (revision != 0) text += " at revision " + std::to_string(revision);
    if (!endpoint.empty()) text += " from " + endpoint;
    if (cause) text += ": " + cause->message();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text + '\n';
}

std::string range(const range_response& r, bool keys_only) {
    std::string text;
    for (const key_value& kv : r.kvs) {
        text += plain(kv.key) + '\n';
        if (!keys_only) text += plain(kv.value) + '\n';
    }
    return text;
}

std::string put(const put_response&) { return "OK\n"; }

std::string deleted(const delete_response& r) { return std::to_string(r.deleted) + '\n'; }

std::string status(const std::string& endpoint, const result<status_response>& r) {
    if (!r) return endpoint + ": " + r.error().message() + '\n';
    std::string text = endpoint + ": etcd " + r->version + ", revision " + std::to_string(r->header.revision) + ", "
        + std::to_string(r->db_size) + " bytes";
    if (r->is_learner) text += ", learner";
    text += r->leader == 0 ? ", no leader" : r->leader == r->header.member_id ? ", leader" : ", follower";
    for (const std::string& e : r->errors) text += ", " + e;
    return text + '\n';
}

std::string rotated(const rotation_report& r) {
    std::string text = number("key", r.keys) + " at revision " + std::to_string(r.as_of) + '\n';
    for (const auto& [id, n] : r.sealed) text += "  sealed with " + quoted(id) + ": " + std::to_string(n) + '\n';
    if (r.plaintext > 0) text += "  in the clear: " + std::to_string(r.plaintext) + '\n';
    for (const rotation_problem& p : r.problems) text += "  " + quoted(p.key) + ": " + p.why.message() + '\n';
    return text + std::to_string(r.to_rewrite) + " to rewrite, " + std::to_string(r.rewritten) + " rewritten, " + std::to_string(r.unresolved)
        + " unresolved, " + (r.complete() ? "complete\n" : "not complete\n");
}

}  // namespace dynconf::tool::text_lines
