// OpenAI's official SDK for Node, in Chat Completions, against a gateway; prints one JSON object with what came back.
// Run by tests/clients/test_openai_node.py: node with-openai.mjs NODE_MODULES_FOLDER ASKED; what is asked is JSON.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { argv } from 'node:process';

const require = createRequire(join(argv[2], 'package.json'));
const { default: OpenAI } = require('openai');
const { zodResponseFormat, zodFunction } = require('openai/helpers/zod');
const { z } = require('zod');
const { url, key, model, older, poor, other } = JSON.parse(argv[3]);

const messages = [{ role: 'user', content: 'What is the weather?' }];
const Report = z.object({ city: z.string(), degrees: z.number() });
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Weather of a city',
    parse: JSON.parse,
    function: ({ city }) => `rain in ${city}`,
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

/** @param {string} apiKey */
const connect = (apiKey = key, more = {}) => new OpenAI({ baseURL: url, apiKey, maxRetries: 0, ...more });
const completions = connect().chat.completions;

const gist = ({ choices: [{ message, finish_reason }], usage, model }) => ({
  text: message.content,
  thought: message.reasoning_content,
  finish_reason,
  usage: usage && [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens],
  model,
});

/** What a failed call threw, and how often it was asked for. */
async function failure(call, apiKey = key, more = {}) {
  let sent = 0;
  const counting = (...asked) => {
    sent += 1;
    return fetch(...asked);
  };
  try {
    await call(connect(apiKey, { fetch: counting, maxRetries: 2, ...more }));
  } catch (error) {
    const { status = null, code = null, type = null, param = null } = error;
    return { name: error.constructor.name, status, code, type, param, sent };
  }
  return null;
}

const ask = (client, more = {}) => client.chat.completions.create({ model, messages, ...more });

async function stream() {
  const chunks = [];
  for await (const chunk of await completions.create({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })) {
    chunks.push(chunk);
  }
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
  return { text, tokens: chunks.at(-1).usage.total_tokens };
}

async function helper() {
  const running = completions.stream({ model, messages, stream_options: { include_usage: true } });
  const pieces = [];
  running.on('content', (piece) => pieces.push(piece));
  return { ...gist(await running.finalChatCompletion()), pieces };
}

/** A stream that its reader leaves before its end. */
async function abort() {
  const running = completions.stream({ model, messages: [{ role: 'user', content: 'wait' }] });
  running.on('content', () => running.abort());
  return failure(() => running.finalChatCompletion());
}

async function runTools(asked, more = {}) {
  const runner = completions.runTools({ model: asked, messages, tools: [weather], ...more });
  const answer = await runner.finalContent();
  return { answer, roles: runner.messages.map((message) => message.role), tokens: (await runner.totalUsage()).total_tokens };
}

/** A loop written by hand, in which the answer goes back as it came. */
async function loop(answerTo, headers = {}) {
  const talk = [...messages];
  for (;;) {
    const message = await answerTo({ model, messages: talk, tools: [weather] }, { headers });
    talk.push(message);
    if (!message.tool_calls?.length) return message.content;
    for (const { id, function: call } of message.tool_calls) {
      talk.push({ role: 'tool', tool_call_id: id, content: weather.function.function(JSON.parse(call.arguments)) });
    }
  }
}

/** Behind a gateway that puts nothing back. */
const alone = connect(other.key, { baseURL: other.url }).chat.completions;
const by_create = (on) => async (asked) => (await on.create(asked)).choices[0].message;
const by_helper = (on) => async (asked, more) =>
  (await on.stream(asked, more).finalChatCompletion()).choices[0].message;

async function parse() {
  const form = { model, messages, response_format: zodResponseFormat(Report, 'report') };
  const whole = await completions.parse(form);
  const streamed = await completions.stream(form).finalChatCompletion();
  const report = zodFunction({ name: 'report', parameters: Report });
  const called = await completions.parse({ model, messages, tools: [report] });
  return [
    whole.choices[0].message.parsed,
    streamed.choices[0].message.parsed,
    called.choices[0].message.tool_calls[0].function.parsed_arguments,
  ];
}

async function models() {
  const found = [];
  for await (const one of connect().models.list()) found.push([one.id, one.object, typeof one.created]);
  return found;
}

console.log(
  JSON.stringify({
    whole: gist(await completions.create({ model, messages })),
    streamed: await stream(),
    helped: await helper(),
    tools: await runTools(model),
    tools_streamed: await runTools(model, { stream: true }),
    older: await runTools(older, { reasoning_effort: 'medium' }),
    kept: await loop(by_create(alone)),
    kept_in_part: await loop(by_helper(completions)),
    kept_in_blocks: await loop(by_helper(alone), { 'x-clearway-reasoning': 'litellm' }),
    parsed: await parse(),
    aborted: await abort(),
    models: await models(),
    unknown_key: await failure(ask, `${key}_`),
    poor: await failure(ask, poor),
    unknown_model: await failure((client) => client.models.retrieve('nope')),
    refused: await failure((client) => ask(client, { n: 2 })),
    unreachable: await failure(ask, key, { baseURL: 'http://127.0.0.1:9/v1', maxRetries: 0 }),
  }),
);
