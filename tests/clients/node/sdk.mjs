// The official SDK for Node against a gateway; prints one JSON object with what came back.
// Run by tests/clients/test_sdk_node.py: node sdk.mjs NODE_MODULES_FOLDER; address and keys by environment.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { env, argv } from 'node:process';

const require = createRequire(join(argv[2], 'package.json'));
const { default: Anthropic } = require('@anthropic-ai/sdk');

const model = env.MODEL;
const question = [{ role: 'user', content: 'What is a gateway?' }];
const tools = [
  {
    name: 'weather',
    description: 'Weather of a city',
    input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
];

/** @param {'x-api-key' | 'bearer'} place */
const connect = (place, key = env.KEY) =>
  new Anthropic({
    baseURL: env.BASE_URL,
    maxRetries: 0,
    apiKey: place === 'x-api-key' ? key : null,
    authToken: place === 'bearer' ? key : null,
  });

/** What a failed call threw, by name. */
async function failure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, type: error.error?.error?.type };
  }
}

const gist = (message) => ({ content: message.content, stop_reason: message.stop_reason, usage: message.usage });
const ask = (client, messages, more = {}) => client.messages.create({ model, max_tokens: 100, messages, ...more });

async function talk(place) {
  const client = connect(place);
  const events = [];
  for await (const event of await ask(client, question, { stream: true })) events.push(event.type);
  const folded = await client.messages.stream({ model, max_tokens: 100, messages: question }).finalMessage();
  const order = [{ role: 'user', content: 'sim:tool weather {"city": "Z\u00fcrich"}' }];
  const called = await ask(client, order, { tools });
  const call = called.content.find((block) => block.type === 'tool_use');
  const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }] };
  const models = [];
  for await (const one of client.models.list({ limit: 2 })) models.push(one.id);
  return {
    whole: gist(await ask(client, question)),
    folded: gist(folded),
    events,
    called: gist(called),
    followed: gist(await ask(client, [...order, { role: 'assistant', content: called.content }, result], { tools })),
    counted: (await client.messages.countTokens({ model, messages: question })).input_tokens,
    models,
    model: (await client.models.retrieve(model)).id,
    unknown: await failure(() => client.models.retrieve('claude-never-was')),
    invalid: await failure(() => client.messages.create({ model, messages: question })),
    overloaded: await failure(() => ask(client, [{ role: 'user', content: 'sim:error 529' }])),
    broken: await failure(() =>
      client.messages
        .stream({ model, max_tokens: 100, messages: [{ role: 'user', content: 'sim:error-after 1' }] })
        .finalMessage(),
    ),
    mistyped: await failure(() => ask(connect(place, `${env.KEY}_`), question)),
  };
}

console.log(JSON.stringify({ 'x-api-key': await talk('x-api-key'), bearer: await talk('bearer') }));
