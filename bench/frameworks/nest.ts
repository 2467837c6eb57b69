/**
 * Nest on Express, and the two guards of Nest's documentation: one that calls `@nestjs/jwt`, and
 * `AuthGuard('jwt')` of `@nestjs/passport` with `passport-jwt`. Both use `jsonwebtoken`, which
 * creates a key from the secret each time.
 */
import type { RequestListener } from 'node:http'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Module,
  type Type,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { JwtService } from '@nestjs/jwt'
import { AuthGuard, PassportStrategy } from '@nestjs/passport'
import { ExpressAdapter } from '@nestjs/platform-express'
import { ExtractJwt, Strategy } from 'passport-jwt'

/** What each guard checks in a token beside its times. */
export interface Rules {
  readonly secret: string
  readonly issuer: string
  readonly audience: string
}

/** The application behind one guard. */
export async function toNest(
  guard: CanActivate | Type<CanActivate>,
  response: object,
  providers: readonly Type[] = [],
): Promise<RequestListener> {
  class Root {
    get(): object {
      return response
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Root.prototype, 'get') ?? {}
  Get()(Root.prototype, 'get', descriptor)
  UseGuards(guard)(Root.prototype, 'get', descriptor)
  Controller()(Root)
  class Application {}
  Module({ controllers: [Root], providers: [...providers] })(Application)
  const app = await NestFactory.create(Application, new ExpressAdapter(), { logger: false })
  await app.init()
  return app.getHttpAdapter().getInstance()
}

/** The guard in Nest's chapter on authentication, with `JwtService`. */
export function toJwtGuard({ secret, issuer, audience }: Rules): CanActivate {
  const service = new JwtService({ secret, verifyOptions: { algorithms: ['HS256'], issuer, audience } })
  return {
    async canActivate(context: ExecutionContext) {
      const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user: unknown }>()
      const [scheme, token = ''] = request.headers['authorization']?.split(' ') ?? []
      if (scheme !== 'Bearer') throw new UnauthorizedException()
      try {
        request.user = await service.verifyAsync(token)
      } catch {
        throw new UnauthorizedException()
      }
      return true
    },
  }
}

/** The guard and the strategy in Nest's recipe for Passport. */
export function toPassport({ secret, issuer, audience }: Rules): {
  readonly guard: Type<CanActivate>
  readonly strategy: Type
} {
  const jwtFromRequest = ExtractJwt.fromAuthHeaderAsBearerToken()
  class JwtStrategy extends PassportStrategy(Strategy) {
    constructor() {
      super({ jwtFromRequest, secretOrKey: secret, algorithms: ['HS256'], issuer, audience })
    }
    validate(payload: object): object {
      return payload
    }
  }
  return { guard: AuthGuard('jwt'), strategy: JwtStrategy }
}
