// One request by the official SDK for Node, and what became of it as one JSON object.
// Run by tests/clients/askers.py: node ask.mjs NODE_MODULES_FOLDER QUESTION; the question is JSON.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { argv } from 'node:process';

const require = createRequire(join(argv[2], 'package.json'));
const { default: Anthropic } = require('@anthropic-ai/sdk');
const { url, key, model, text, repeat, retries } = JSON.parse(argv[3]);

let sent = 0;
const client = new Anthropic({
  baseURL: url,
  apiKey: key,
  authToken: null,
  maxRetries: retries,
  fetch: (...asked) => {
    sent += 1;
    return fetch(...asked);
  },
});

async function outcome() {
  try {
    const messages = [{ role: 'user', content: text.repeat(repeat) }];
    const message = await client.messages.create({ model, max_tokens: 10, messages });
    return { stop_reason: message.stop_reason };
  } catch (error) {
    return {
      name: error.constructor.name,
      status: error.status,
      kind: error.error?.error?.type,
      message: error.message,
      request_id: error.requestID,
      retry_after: error.headers?.get('retry-after'),
    };
  }
}

console.log(JSON.stringify({ ...(await outcome()), sent }));
