#include "commands.hpp"

#include "output.hpp"
#include "output_json.hpp"
#include "output_text.hpp"

#include <dynconf/client.hpp>
#include <dynconf/endpoint.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/maintenance.hpp>
#include <dynconf/rotation.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace dynconf::tool {

namespace asio = boost::asio;

namespace {

key_range range_of(const request& asked) {
    const std::string& key = asked.keys.front();
    return asked.prefix ? key_range::prefix(key) : key_range::key(key);
}

/// The answer as text, or an exception.
asio::awaitable<std::string> answer_to(const request& asked, client etcd) {
    kv store(etcd);
    switch (asked.what) {
        case request::command::get: {
            range_options options;
            options.keys_only = asked.keys_only;
            const range_response r = co_await store.range_pages(range_of(asked), options);
            co_return asked.json ? json_lines::range(r, asked.keys_only) : text_lines::range(r, asked.keys_only);
        }
        case request::command::put: {
            const put_response r = co_await store.put(asked.keys.front(), asked.value);
            co_return asked.json ? json_lines::put(r) : text_lines::put(r);
        }
        case request::command::del: {
            delete_options how;
            how.everything = true;   // the options were refused unless --all was among them
            const delete_response r = co_await store.delete_range(range_of(asked), how);
            co_return asked.json ? json_lines::deleted(r) : text_lines::deleted(r);
        }
        default: throw std::logic_error("not a command of this function");
    }
}

asio::awaitable<rotation_report> rotate(const request& asked, client etcd) {
    rotation turning(etcd, *asked.ring);
    co_return co_await turning.run(key_range::prefix(asked.keys.front()), asked.rotation);
}

asio::awaitable<result<status_response>> status_of(client etcd) {
    maintenance about(etcd);
    try {
        status_response r = co_await about.status();
        co_return r;
    } catch (const exception& e) {
        co_return error{e.code(), e.detail()};
    }
}

template <class T>
T run(asio::awaitable<T> work, asio::io_context& io) {
    auto outcome = asio::co_spawn(io, std::move(work), asio::use_future);
    io.run();
    io.restart();
    return outcome.get();
}

exit_code show(const std::string& text) {
    const auto failure = output().write(text);
    if (failure && failure != boost::system::errc::broken_pipe)
        throw std::runtime_error("cannot write the answer: " + failure.message());
    return succeeded;
}

exit_code run_status(const request& asked) {
    exit_code worst = succeeded;
    const auto members = endpoint::parse_list(asked.client.endpoints.front());
    if (!members) throw std::invalid_argument(members.error().message());
    for (const endpoint& member : *members) {
        asio::io_context io;
        client_options alone = asked.client;
        alone.endpoints = {member.to_string()};
        alone.discovery = {};
        const result<status_response> r = run(status_of(client(io.get_executor(), alone)), io);
        show(asked.json ? json_lines::status(member.to_string(), r) : text_lines::status(member.to_string(), r));
        if (!r) worst = failed;
    }
    return worst;
}

exit_code run_rotate(const request& asked) {
    asio::io_context io;
    const rotation_report r = run(rotate(asked, client(io.get_executor(), asked.client)), io);
    show(asked.json ? json_lines::rotated(r) : text_lines::rotated(r));
    return asked.rotation.dry_run || r.complete() ? succeeded : failed;
}

}  // namespace

exit_code run_command(const request& asked) {
    if (asked.what == request::command::status) return run_status(asked);
    if (asked.what == request::command::rotate) return run_rotate(asked);
    asio::io_context io;
    return show(run(answer_to(asked, client(io.get_executor(), asked.client)), io));
}

}  // namespace dynconf::tool
