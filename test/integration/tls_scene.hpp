#pragma once

// What the tests with TLS have in common.

#include "integration/scene.hpp"

#include "support/scratch_dir.hpp"
#include "support/test_ca.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>

namespace dynconf::test {

/// An etcd that shows this certificate, and that asks for those of `clients` where one is given.
inline etcd_options with_certificate(const issued& server, const test_ca* clients = nullptr) {
    etcd_options options;
    options.https = true;
    options.flags = {"--cert-file=" + server.certificate, "--key-file=" + server.key};
    if (clients) options.flags.insert(options.flags.end(), {"--client-cert-auth", "--trusted-ca-file=" + clients->file()});
    return options;
}

inline void show(client_options& options, const issued& who) {
    options.tls.cert_file = who.certificate;
    options.tls.key_file = who.key;
}

/// One read by a client of its own.
inline asio::awaitable<result<range_response>> read(const client_options& options) {
    auto ex = co_await asio::this_coro::executor;
    client c(ex, options);
    kv store(c);
    co_return co_await outcome(store.range(key_range::key("k")));
}

/// Its error; no code: it went well.
inline asio::awaitable<error> refusal(const client_options& options) {
    const auto answer = co_await read(options);
    co_return answer ? error{} : answer.error();
}

inline bool says(const error& e, const std::string& words) { return e.message().find(words) != std::string::npos; }

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    return text;
}

inline std::string text_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// In one step, as whoever reads the file would like it.
inline void place(const std::string& text, const std::string& at) {
    std::ofstream(at + ".new", std::ios::binary | std::ios::trunc) << text;
    std::filesystem::rename(at + ".new", at);
}

/// The events that clients log, each with the values of its fields.
class logged {
public:
    log_sink sink() {
        return [this](const log_record& r) {
            std::string line(r.event);
            for (const log_field& f : r.fields) line += " " + f.value;
            const std::lock_guard lock(mutex_);
            lines_.push_back(line);
        };
    }
    /// How many begin so.
    std::size_t count(const std::string& start) const {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const std::string& l) { return l.starts_with(start); }));
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

}  // namespace dynconf::test
