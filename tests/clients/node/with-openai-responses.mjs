// OpenAI's official SDK for Node, in Responses, against a gateway; prints one JSON object with what came back.
// Run by tests/clients/test_openai_node.py: node with-openai-responses.mjs NODE_MODULES_FOLDER ASKED; what is asked is JSON.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { argv } from 'node:process';

const require = createRequire(join(argv[2], 'package.json'));
const { default: OpenAI } = require('openai');
const { ResponsesToolRunner } = require('openai/helpers/responses-tool-runner');
const { zodResponsesFunction, zodTextFormat } = require('openai/helpers/zod');
const { z } = require('zod');
const { url, key, model, older, poor } = JSON.parse(argv[3]);

const input = [{ role: 'user', content: 'What is the weather?' }];
const reasoning = { summary: 'auto' };
const Report = z.object({ city: z.string(), degrees: z.number() });
const rain = ({ city }) => `rain in ${city}`;
const weather = {
  type: 'function',
  name: 'weather',
  description: 'Weather of a city',
  strict: true,
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  },
};

/** @param {string} apiKey */
const connect = (apiKey = key, more = {}) => new OpenAI({ baseURL: url, apiKey, maxRetries: 0, ...more });
const responses = connect().responses;

const gist = ({ status, output_text, output, usage, model }) => ({
  status,
  text: output_text,
  items: output.map((item) => item.type),
  thought: output.flatMap((item) => (item.type === 'reasoning' ? item.summary.map((part) => part.text) : [])).join(''),
  usage: usage && [usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens],
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

const ask = (client, more = {}) => client.responses.create({ model, input: 'hi', ...more });

async function stream() {
  const events = [];
  for await (const event of await responses.create({ model, input: 'hi', reasoning, stream: true })) events.push(event);
  const pieces = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta);
  const ends = [events[0].type, events.at(-1).type];
  return { pieces, ends, is_numbered: events.every((event, index) => event.sequence_number === index) };
}

const help = (asked) => responses.stream(asked).finalResponse();

/** A stream that its reader leaves before its end. */
async function abort() {
  const running = responses.stream({ model, input: 'wait' });
  running.on('response.output_text.delta', () => running.abort());
  return failure(() => running.finalResponse());
}

/** A loop written by hand, in which the items go back as they came. */
async function loop(answerTo, model, more = {}) {
  const talk = [...input];
  for (;;) {
    const said = await answerTo({ model, input: talk, tools: [weather], reasoning, ...more });
    talk.push(...said.output);
    const calls = said.output.filter((item) => item.type === 'function_call');
    if (!calls.length) return { ...gist(said), length: talk.length };
    for (const call of calls) {
      talk.push({ type: 'function_call_output', call_id: call.call_id, output: rain(JSON.parse(call.arguments)) });
    }
  }
}

/** The SDK's own loop. */
async function runTools(more) {
  const runner = new ResponsesToolRunner({ functions: [{ tool: weather, execute: rain }] });
  return gist(await runner.run(connect(), { model, input, reasoning }, more));
}

async function parse() {
  const form = { model, input: 'Report.', text: { format: zodTextFormat(Report, 'report') } };
  const report = zodResponsesFunction({ name: 'report', parameters: Report });
  const called = await responses.parse({ model, input: 'Report.', tools: [report] });
  return [
    (await responses.parse(form)).output_parsed,
    (await help(form)).output_parsed,
    called.output.find((item) => item.type === 'function_call').parsed_arguments,
  ];
}

const create = (asked) => responses.create(asked);
console.log(
  JSON.stringify({
    whole: gist(await responses.create({ model, input: 'hi', reasoning })),
    streamed: await stream(),
    helped: gist(await help({ model, input: 'hi', reasoning })),
    loop: await loop(create, model),
    loop_streamed: await loop(help, model),
    older: await loop(create, older, { reasoning: { ...reasoning, effort: 'medium' } }),
    tools: await runTools({}),
    tools_streamed: await runTools({ stream: true }),
    parsed: await parse(),
    aborted: await abort(),
    unknown_key: await failure(ask, `${key}_`),
    poor: await failure(ask, poor),
    refused: await failure((client) => ask(client, { background: true })),
    unreachable: await failure(ask, key, { baseURL: 'http://127.0.0.1:9/v1', maxRetries: 0 }),
  }),
);
